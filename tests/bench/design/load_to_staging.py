"""
Load CSV to DuckDB Staging Layer
Creates raw schema and loads CSV files
"""

import logging
import os
import sys
from pathlib import Path
from typing import Any

import duckdb

SOURCE_DIR = os.environ["OLIST_SOURCE_DIR"]
DB_PATH = os.environ["OLISTCTL_WAREHOUSE"]

# Columns that are not text; a zip prefix is text, or it loses its leading zero.
TYPE_OVERRIDES = {
    "stg_orders": {
        "order_purchase_timestamp": "TIMESTAMP",
        "order_approved_at": "TIMESTAMP",
        "order_delivered_carrier_date": "TIMESTAMP",
        "order_delivered_customer_date": "TIMESTAMP",
        "order_estimated_delivery_date": "TIMESTAMP",
    },
    "stg_order_items": {
        "order_item_id": "INTEGER",
        "shipping_limit_date": "TIMESTAMP",
        "price": "DECIMAL(12, 2)",
        "freight_value": "DECIMAL(12, 2)",
    },
    "stg_order_payments": {
        "payment_sequential": "INTEGER",
        "payment_installments": "INTEGER",
        "payment_value": "DECIMAL(12, 2)",
    },
    "stg_order_reviews": {
        "review_score": "INTEGER",
        "review_creation_date": "TIMESTAMP",
        "review_answer_timestamp": "TIMESTAMP",
    },
    "stg_products": {
        "product_name_lenght": "INTEGER",
        "product_description_lenght": "INTEGER",
        "product_photos_qty": "INTEGER",
        "product_weight_g": "INTEGER",
        "product_length_cm": "INTEGER",
        "product_height_cm": "INTEGER",
        "product_width_cm": "INTEGER",
    },
    "stg_geolocation": {
        "geolocation_lat": "DOUBLE",
        "geolocation_lng": "DOUBLE",
    },
}


class DuckDBLoader:
    """Load CSV files to DuckDB staging schema"""

    def __init__(self, db_path: str, source_dir: str) -> None:
        self.db_path = db_path
        self.source_dir = Path(source_dir)
        self.logger = logging.getLogger(__name__)
        self.conn: Any = None

    def connect(self) -> None:
        """Connect to DuckDB"""
        self.conn = duckdb.connect(self.db_path)
        self.logger.info(f"Connected to DuckDB: {self.db_path}")

    def create_schema(self) -> None:
        """Create raw schema if not exists"""
        self.conn.execute("CREATE SCHEMA IF NOT EXISTS raw")
        self.logger.info("Created schema: raw")

    def load_csv_to_staging(
        self, table_name: str, filename: str, type_overrides: dict[str, str] | None = None
    ) -> dict[str, Any]:
        """
        Load CSV file to staging table

        Args:
            table_name: Target table name (e.g., 'stg_orders')
            filename: Source CSV filename
            type_overrides: Dictionary of column name -> DuckDB type for casting
        """
        filepath = self.source_dir / filename
        staging_table = f"raw.{table_name}"

        self.logger.info(f"Loading {filename} → {staging_table}")

        try:
            # Drop existing table
            self.conn.execute(f"DROP TABLE IF EXISTS {staging_table}")

            # Load CSV with DuckDB's CSV reader
            if type_overrides:
                # Build CREATE TABLE statement with types
                self.conn.execute(f"""
                    CREATE TABLE {staging_table} AS
                    SELECT *, row_number() OVER () + 1 AS _source_line
                    FROM read_csv_auto('{filepath}', types={type_overrides}, auto_type_candidates=['VARCHAR'])
                """)
            else:
                # Every column is text
                self.conn.execute(f"""
                    CREATE TABLE {staging_table} AS
                    SELECT *, row_number() OVER () + 1 AS _source_line
                    FROM read_csv_auto('{filepath}', all_varchar=true)
                """)

            # Get row count
            row_count = self.conn.execute(f"SELECT COUNT(*) FROM {staging_table}").fetchone()[0]

            self.logger.info(f"  ✓ Loaded {row_count:,} rows")

            return {"status": "OK", "row_count": row_count}

        except Exception as e:
            self.logger.error(f"  ✗ Failed to load {filename}: {e}")
            return {"status": "ERROR", "error": str(e)}

    def add_load_metadata(self, table_name: str, filename: str) -> None:
        """Add ETL metadata columns to staging table"""
        staging_table = f"raw.{table_name}"

        # Check if columns already exist
        columns = self.conn.execute(f"""
            SELECT column_name FROM information_schema.columns
            WHERE table_schema = 'raw' AND table_name = '{table_name}'
        """).fetchall()

        column_names = [col[0] for col in columns]

        if "_loaded_at" not in column_names:
            self.conn.execute(f"""
                ALTER TABLE {staging_table}
                ADD COLUMN _loaded_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP
            """)

        if "_source_file" not in column_names:
            self.conn.execute(f"""
                ALTER TABLE {staging_table}
                ADD COLUMN _source_file VARCHAR DEFAULT '{filename}'
            """)

        if "_run_id" not in column_names:
            self.conn.execute(f"""
                ALTER TABLE {staging_table}
                ADD COLUMN _run_id VARCHAR DEFAULT 'design'
            """)

        if "_is_current" not in column_names:
            self.conn.execute(f"""
                ALTER TABLE {staging_table}
                ADD COLUMN _is_current BOOLEAN DEFAULT true
            """)

    def load_all(self) -> dict[str, dict[str, Any]]:
        """Load all CSV files to staging"""
        files_to_load = {
            "stg_customers": "olist_customers_dataset.csv",
            "stg_orders": "olist_orders_dataset.csv",
            "stg_order_items": "olist_order_items_dataset.csv",
            "stg_order_payments": "olist_order_payments_dataset.csv",
            "stg_order_reviews": "olist_order_reviews_dataset.csv",
            "stg_products": "olist_products_dataset.csv",
            "stg_sellers": "olist_sellers_dataset.csv",
            "stg_geolocation": "olist_geolocation_dataset.csv",
            "stg_category_translation": "product_category_name_translation.csv",
        }

        results = {}

        for table_name, filename in files_to_load.items():
            result = self.load_csv_to_staging(table_name, filename, TYPE_OVERRIDES.get(table_name))
            if result["status"] == "OK":
                self.add_load_metadata(table_name, filename)
            results[table_name] = result

        return results

    def close(self) -> None:
        """Close database connection"""
        if self.conn:
            self.conn.close()
            self.logger.info("Closed database connection")


def main() -> None:
    """Main load process"""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s - %(name)s - %(levelname)s - %(message)s")

    loader = DuckDBLoader(DB_PATH, SOURCE_DIR)

    try:
        loader.connect()
        loader.create_schema()
        results = loader.load_all()

        # Print summary
        print("\n" + "=" * 60)
        print("LOAD TO STAGING SUMMARY")
        print("=" * 60)

        total_rows = 0
        for table_name, result in results.items():
            if result["status"] == "OK":
                row_count = result["row_count"]
                total_rows += row_count
                print(f"{table_name}: {row_count:,} rows ✓")
            else:
                print(f"{table_name}: ERROR - {result['error']} ✗")

        print(f"\nTotal rows loaded: {total_rows:,}")
        print("=" * 60 + "\n")

    finally:
        loader.close()

    if any(result["status"] != "OK" for result in results.values()):
        sys.exit(1)


if __name__ == "__main__":
    main()
