// Places an order with the client that oapi-codegen generated, and prints its status.
package main

import (
	"context"
	"fmt"
	"log"
	"os"

	"place/oms"
)

func main() {
	client, err := oms.NewClientWithResponses(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	cart := oms.CartRequest{
		Customer: "go",
		Lines:    []oms.LineRequest{{Sku: "SKU-00001", Quantity: 1}},
	}
	accepted, err := client.AddToCartWithResponse(context.Background(), nil, cart)
	if err != nil {
		log.Fatal(err)
	}
	if accepted.JSON202 == nil {
		log.Fatal(string(accepted.Body))
	}
	wait := oms.Wait("60s")
	query := oms.PlaceOrderParams{Wait: &wait}
	body := oms.PlaceRequest{}
	placed, err := client.PlaceOrderWithResponse(context.Background(), accepted.JSON202.OrderId, &query, body)
	if err != nil {
		log.Fatal(err)
	}
	if placed.JSON200 == nil {
		log.Fatal(string(placed.Body))
	}
	fmt.Println(placed.JSON200.Status)
}
