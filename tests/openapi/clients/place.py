"""Places an order with the client that openapi-python-client generated, and prints its status."""

import sys

from oms_client import Client
from oms_client.api.orders import add_to_cart, place_order
from oms_client.models import CartRequest, LineRequest, PlaceRequest

client = Client(base_url=sys.argv[1])
line = LineRequest(sku="SKU-00001", quantity=1)
cart = CartRequest(customer="python", lines=[line])
accepted = add_to_cart.sync(client=client, body=cart)
body = PlaceRequest(cart_hash=accepted.cart_hash, customer="python")
placed = place_order.sync(accepted.order_id, client=client, body=body, wait="60s")
again = place_order.sync(accepted.order_id, client=client, wait="60s")
assert placed.status == again.status, (placed, again)
print(placed.status.value)
