"""How one recurrent layer is computed: compiled CPU kernels, or torch's own modules."""
