"""Promise 3 put to the test: the warehouse, as loads have made it, against a full refresh from the same files."""

from olistctl.verifying.compare import ColumnDifference, Example, TableComparison, compare_warehouses
from olistctl.verifying.verify import VerifyReport, verify

__all__ = ["ColumnDifference", "Example", "TableComparison", "VerifyReport", "compare_warehouses", "verify"]
