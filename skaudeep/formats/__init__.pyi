from .csv_arff import load_arff as load_arff
from .csv_arff import load_csv as load_csv
from .csv_arff import save_arff as save_arff
from .csv_arff import save_csv as save_csv
from .fusing import fuse as fuse
from .lazy import StoredArray as StoredArray
from .netcdf import load_netcdf as load_netcdf
from .netcdf import save_netcdf as save_netcdf
