"""What is known of the public data set: its name, its licence, and the size and sum of each of its files."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Description:
    """What a data set is called, whose it is, and on what terms it may be used."""

    title: str
    creator: str
    version: int
    licence: str
    licence_page: str
    page: str


@dataclass(frozen=True)
class KnownFile:
    """A file of a data set, with its size in bytes and the SHA-256 of its content."""

    name: str
    bytes: int
    sha256: str


@dataclass(frozen=True)
class Dataset:
    """One version of a data set on Kaggle, which `handle` names."""

    description: Description
    handle: str
    files: tuple[KnownFile, ...]


OLIST = Dataset(
    Description(
        title="Brazilian E-Commerce Public Dataset by Olist",
        creator="Olist",
        version=2,
        licence="CC BY-NC-SA 4.0",
        licence_page="https://creativecommons.org/licenses/by-nc-sa/4.0/",
        page="https://www.kaggle.com/datasets/olistbr/brazilian-ecommerce",
    ),
    handle="olistbr/brazilian-ecommerce/versions/2",
    files=(
        KnownFile(
            "olist_customers_dataset.csv",
            9_033_957,
            "983a422239e1712ded753b3bf9ecf47dc73f144d306029dcfa99e70a226883d2",
        ),
        KnownFile(
            "olist_orders_dataset.csv",
            17_654_914,
            "8df58ef3d2d7e9944010f7beecd9b75367f5588ec6e3c91cec19ae3345ef9ecf",
        ),
        KnownFile(
            "olist_order_items_dataset.csv",
            15_438_671,
            "0bc4d068c4fe38cbb01bd90e8746e3c613fe7b4baef75fab7b0e329701c3e279",
        ),
        KnownFile(
            "olist_order_payments_dataset.csv",
            5_777_138,
            "4f713964f2815dbbaa40b9488268c55aac3627bfce5aa96cf58d1f3616de3cc0",
        ),
        KnownFile(
            "olist_order_reviews_dataset.csv",
            14_451_670,
            "012b61c7593e34f51fa614efdf802b9c7056ce6aae5307ddb93236e7cfc797d7",
        ),
        KnownFile(
            "olist_products_dataset.csv",
            2_379_446,
            "3e6569628a17fbc75fd206ee357b59e20364b9afa90f5b6cd5b4d624c58aa9cc",
        ),
        KnownFile(
            "olist_sellers_dataset.csv",
            174_703,
            "1f643d2b950373b85735e7794b20986f528d7a000432e7c6f9bcbb44d0846a0e",
        ),
        KnownFile(
            "olist_geolocation_dataset.csv",
            61_273_883,
            "b514f6fc991b9566aeba02aa5d67e2c3630f034b60a0e05aa0d082a3b66d88d6",
        ),
        KnownFile(
            "product_category_name_translation.csv",
            2_613,
            "a81f0d1f27b27e7293f761bc79e3ce8f348ee39c4b3ed3e49bde38f478586278",
        ),
    ),
)
"""Version 2 ("Data Update 2021/10/01") as dozens of independent copies have it, in the order of the contract."""
