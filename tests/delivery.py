"""A tiny but whole delivery of the nine files, written by hand in the byte conventions of the real ones.

Three orders: one delivered with two items and two payments, one shipped, one cancelled without items.
"""

from __future__ import annotations

from pathlib import Path

CUSTOMERS = b"""\
"customer_id","customer_unique_id","customer_zip_code_prefix","customer_city","customer_state"
"06b8999e2fba1a1fbc88172c00ba8bc7","861eff4711a542e4b93843c6dd7febb0","14409",franca,SP
b0830fb4747a6c6d20dea0b8c802d7ef,"4f2d8ab171c80ec8364f7c12e35b23ad","01310","sao paulo, centro",SP
c3f1c2b5a9d84b0db21f8a3d2c6f9e10,"259dac757896d24d7702b9acbbff3f3c","69900",rio branco,AC
"""
ORDERS = b"""\
"order_id","customer_id","order_status","order_purchase_timestamp","order_approved_at",\
"order_delivered_carrier_date","order_delivered_customer_date","order_estimated_delivery_date"
e481f51cbdc54678b7cc49136f2d6af7,"06b8999e2fba1a1fbc88172c00ba8bc7",delivered,2017-10-02 10:56:33,\
2017-10-02 11:07:15,2017-10-04 19:55:00,2017-10-10 21:25:13,2017-10-18 00:00:00
"53cdb2fc8bc7dce0b6741e2150273451",b0830fb4747a6c6d20dea0b8c802d7ef,shipped,2018-07-24 20:41:37,\
2018-07-26 03:24:27,2018-07-26 14:31:00,,2018-08-13 00:00:00
"47770eb9100c2d0c44946d9cf07ec65d",c3f1c2b5a9d84b0db21f8a3d2c6f9e10,canceled,2018-08-08 08:38:49,,,,\
2018-09-04 00:00:00
"""
ORDER_ITEMS = b"""\
"order_id","order_item_id","product_id","seller_id","shipping_limit_date","price","freight_value"
e481f51cbdc54678b7cc49136f2d6af7,1,"4244733e06e7ecb4970a6e2683c13e61","48436dade18ac8b2bce089ec2a041202",\
2017-10-06 11:07:15,58.90,13.29
e481f51cbdc54678b7cc49136f2d6af7,2,e5f2d52b802189ee658865ca93d83a8f,dd7ddc04e1b6c2c614352b383efe2d36,\
2017-10-06 11:07:15,239.9,19.93
"53cdb2fc8bc7dce0b6741e2150273451",1,"4244733e06e7ecb4970a6e2683c13e61","48436dade18ac8b2bce089ec2a041202",\
2018-07-30 03:24:27,118.70,0.00
"""
ORDER_PAYMENTS = b"""\
"order_id","payment_sequential","payment_type","payment_installments","payment_value"
e481f51cbdc54678b7cc49136f2d6af7,1,credit_card,8,300.00
e481f51cbdc54678b7cc49136f2d6af7,2,voucher,1,32.02
"53cdb2fc8bc7dce0b6741e2150273451",1,boleto,1,118.70
"47770eb9100c2d0c44946d9cf07ec65d",1,voucher,1,0.00
"""
ORDER_REVIEWS = (
    b'"review_id","order_id","review_score","review_comment_title","review_comment_message",'
    b'"review_creation_date","review_answer_timestamp"\r\n'
    b'"7bc2406110b926393aa56f80a40eba40",e481f51cbdc54678b7cc49136f2d6af7,5,,,2017-10-11 00:00:00,'
    b"2017-10-12 03:43:48\r\n"
    b'"80e641a11e56f04c1ad469d5645fdfde","53cdb2fc8bc7dce0b6741e2150273451",1,"Atrasado, ainda","Comprei ""dois"".\r\n'
    b'\r\nN\xc3\xa3o chegou.",2018-08-14 00:00:00,2018-08-15 10:59:36\r\n'
    b'f7c4243c7fe1938f181bec41a392bdeb,"47770eb9100c2d0c44946d9cf07ec65d",3,ok,cancelei,2018-09-05 00:00:00,'
    b"2018-09-06 00:00:00\r\n"
)
PRODUCTS = b"""\
"product_id","product_category_name","product_name_lenght","product_description_lenght","product_photos_qty",\
"product_weight_g","product_length_cm","product_height_cm","product_width_cm"
"4244733e06e7ecb4970a6e2683c13e61",perfumaria,40,287,1,225,16,10,14
e5f2d52b802189ee658865ca93d83a8f,,,,,1000,30,18,20
"""
SELLERS = b"""\
"seller_id","seller_zip_code_prefix","seller_city","seller_state"
"48436dade18ac8b2bce089ec2a041202","01310",sao paulo,SP
dd7ddc04e1b6c2c614352b383efe2d36,"14409",franca,SP
"""
GEOLOCATION = b"""\
"geolocation_zip_code_prefix","geolocation_lat","geolocation_lng","geolocation_city","geolocation_state"
"01310",-23.56199118,-46.65616231,sao paulo,SP
"01310",-23.56199118,-46.65616231,sao paulo,SP
"14409",-20.50948973,-47.39714128,franca,SP
"69900",-9.96,-67.8,rio branco,AC
"""
CATEGORY_TRANSLATION = (
    b"\xef\xbb\xbfproduct_category_name,product_category_name_english\r\n"
    b"beleza_saude,health_beauty\r\n"
    b"perfumaria,perfumery"
)

FILES = {
    "customers": CUSTOMERS,
    "orders": ORDERS,
    "order_items": ORDER_ITEMS,
    "order_payments": ORDER_PAYMENTS,
    "order_reviews": ORDER_REVIEWS,
    "products": PRODUCTS,
    "sellers": SELLERS,
    "geolocation": GEOLOCATION,
    "category_translation": CATEGORY_TRANSLATION,
}
NAMES = {
    source: "product_category_name_translation.csv"
    if source == "category_translation"
    else f"olist_{source}_dataset.csv"
    for source in FILES
}
RECORDS = {
    "customers": 3,
    "orders": 3,
    "order_items": 3,
    "order_payments": 4,
    "order_reviews": 3,
    "products": 2,
    "sellers": 2,
    "geolocation": 4,
    "category_translation": 2,
}


def write_delivery(folder: Path, **overrides: bytes | None) -> Path:
    """Write the nine files; by source name, an override gives other bytes, or None to leave a file out."""
    unknown = overrides.keys() - FILES.keys()
    assert not unknown, f"no such source: {unknown}"
    folder.mkdir(parents=True, exist_ok=True)
    for source, content in (FILES | overrides).items():
        if content is None:
            (folder / NAMES[source]).unlink(missing_ok=True)
        else:
            (folder / NAMES[source]).write_bytes(content)
    return folder


def header_of(source: str) -> bytes:
    """Return the header line of a source, with its line end."""
    return FILES[source].splitlines(keepends=True)[0]


def with_records(source: str, *records: bytes) -> bytes:
    """Return a file of a source with only these records, each ended as the header is."""
    header = header_of(source)
    end = b"\r\n" if header.endswith(b"\r\n") else b"\n"
    return header + b"".join(record + end for record in records)


def plus(source: str, *records: bytes) -> bytes:
    """Return the file of a source with these records at its end."""
    content = FILES[source]
    end = b"\r\n" if content.splitlines(keepends=True)[0].endswith(b"\r\n") else b"\n"
    if not content.endswith(end):
        content += end
    return content + b"".join(record + end for record in records)
