"""
CSV Extraction Script
Reads Olist CSV files and validates structure
"""

import csv
import logging
import os
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any

# Configuration
SOURCE_DIR = os.environ["OLIST_SOURCE_DIR"]

# Source file definitions
SOURCE_FILES = {
    "customers": "olist_customers_dataset.csv",
    "orders": "olist_orders_dataset.csv",
    "order_items": "olist_order_items_dataset.csv",
    "order_payments": "olist_order_payments_dataset.csv",
    "order_reviews": "olist_order_reviews_dataset.csv",
    "products": "olist_products_dataset.csv",
    "sellers": "olist_sellers_dataset.csv",
    "geolocation": "olist_geolocation_dataset.csv",
    "category_translation": "product_category_name_translation.csv",
}


class CSVExtractor:
    """Extract and validate CSV files"""

    def __init__(self, source_dir: str) -> None:
        self.source_dir = Path(source_dir)
        self.logger = logging.getLogger(__name__)

    def validate_file_exists(self, filename: str) -> bool:
        """Check if file exists and is readable"""
        filepath = self.source_dir / filename
        if not filepath.exists():
            self.logger.error(f"File not found: {filepath}")
            return False
        if not filepath.is_file():
            self.logger.error(f"Not a file: {filepath}")
            return False
        return True

    def get_file_metadata(self, filename: str) -> dict[str, Any]:
        """Get file metadata"""
        filepath = self.source_dir / filename
        stat = filepath.stat()
        return {
            "filename": filename,
            "size_bytes": stat.st_size,
            "size_mb": round(stat.st_size / 1024 / 1024, 2),
            "modified_time": datetime.fromtimestamp(stat.st_mtime),
            "filepath": str(filepath),
        }

    def validate_csv_structure(self, filepath: Path, expected_columns: list[str] | None = None) -> dict[str, Any]:
        """Validate CSV structure without loading full file"""
        try:
            # Read only first row to check structure
            # (the design: df_sample = pd.read_csv(filepath, nrows=5))
            with filepath.open(encoding="utf-8", newline="") as stream:
                reader = csv.reader(stream)
                columns = next(reader)
                sample = list(islice(reader, 5))

            validation: dict[str, Any] = {
                "valid": True,
                "row_count_sample": len(sample),
                "column_count": len(columns),
                "columns": columns,
                "errors": [],
            }

            # Check for expected columns if provided
            if expected_columns:
                missing_cols = set(expected_columns) - set(columns)
                if missing_cols:
                    validation["valid"] = False
                    validation["errors"].append(f"Missing columns: {missing_cols}")

            # Check for unnamed columns
            unnamed_cols = [col for col in columns if not col or "Unnamed" in col]
            if unnamed_cols:
                validation["valid"] = False
                validation["errors"].append(f"Unnamed columns detected: {unnamed_cols}")

            return validation

        except Exception as e:
            return {"valid": False, "errors": [str(e)]}

    def extract_all(self) -> dict[str, Any]:
        """Extract metadata for all source files"""
        results: dict[str, Any] = {}

        for table_name, filename in SOURCE_FILES.items():
            self.logger.info(f"Validating {table_name}: {filename}")

            # Check file exists
            if not self.validate_file_exists(filename):
                results[table_name] = {"status": "ERROR", "message": "File not found"}
                continue

            # Get metadata
            metadata = self.get_file_metadata(filename)

            # Validate structure
            filepath = self.source_dir / filename
            validation = self.validate_csv_structure(filepath)

            results[table_name] = {
                "status": "OK" if validation["valid"] else "ERROR",
                "metadata": metadata,
                "validation": validation,
            }

        return results


def main() -> None:
    """Main extraction process"""
    logging.basicConfig(level=logging.INFO)

    extractor = CSVExtractor(SOURCE_DIR)
    results = extractor.extract_all()

    # Print summary
    print("\n" + "=" * 60)
    print("CSV EXTRACTION SUMMARY")
    print("=" * 60)

    for table_name, result in results.items():
        status = result["status"]
        if status == "OK":
            metadata = result["metadata"]
            validation = result["validation"]
            print(f"\n{table_name.upper()}")
            print(f"  Status: ✓ {status}")
            print(f"  File: {metadata['filename']}")
            print(f"  Size: {metadata['size_mb']} MB")
            print(f"  Columns: {validation['column_count']}")
        else:
            print(f"\n{table_name.upper()}")
            print(f"  Status: ✗ {status}")
            print(f"  Errors: {result.get('validation', {}).get('errors', [])}")

    print("\n" + "=" * 60)


if __name__ == "__main__":
    main()
