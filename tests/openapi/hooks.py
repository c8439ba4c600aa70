"""What Schemathesis cannot know: ids of orders that there are, and that a key is used for one request only."""

import itertools
import json
import os
import urllib.request
import uuid

import schemathesis

ORDERS = 500


def accepted():
    cart = {"customer": "c1", "lines": [{"sku": "SKU-00001", "quantity": 1}]}
    request = urllib.request.Request(
        os.environ["OMS_URL"] + "/v1/carts",
        data=json.dumps(cart).encode(),
        headers={"content-type": "application/json"},
    )
    with urllib.request.urlopen(request) as response:
        return json.load(response)["order_id"]


orders = [accepted() for _ in range(ORDERS)]
turn = itertools.count()


@schemathesis.hook
def map_path_parameters(context, path_parameters):
    """Most orders are known; looking for an unknown one takes two seconds."""
    if path_parameters and "id" in path_parameters:
        number = next(turn)
        if number % 100:
            path_parameters["id"] = orders[number % ORDERS]
    return path_parameters


@schemathesis.hook
def map_headers(context, headers):
    """An id that comes with another cart or correction is refused with 422, as it has to be."""
    if headers and "Idempotency-Key" in headers:
        headers["Idempotency-Key"] = str(uuid.uuid4())
    return headers


@schemathesis.hook
def map_body(context, body):
    if isinstance(body, dict) and isinstance(body.get("order_id"), str):
        body["order_id"] = str(uuid.uuid4())
    return body
