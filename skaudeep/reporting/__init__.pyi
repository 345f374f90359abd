from .generate import Report as Report
from .generate import report as report
