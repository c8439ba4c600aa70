// Places an order with the types that openapi-typescript generated, and prints its status.

import createClient from "openapi-fetch";
import type { paths } from "./oms.js";

const client = createClient<paths>({ baseUrl: process.argv[2] });
const accepted = await client.POST("/v1/carts", {
  body: { customer: "typescript", lines: [{ sku: "SKU-00001", quantity: 1 }] },
});
if (!accepted.data) throw new Error(JSON.stringify(accepted.error));
const placed = await client.POST("/v1/orders/{id}/place", {
  params: { path: { id: accepted.data.order_id }, query: { wait: "60s" } },
  body: { cart_hash: accepted.data.cart_hash, customer: "typescript" },
});
if (!placed.data) throw new Error(JSON.stringify(placed.error));
console.log(placed.data.status);
