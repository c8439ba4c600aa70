//! `oms seed`.

use super::Place;

#[test]
fn a_bare_items_makes_a_hundred_and_twice_is_the_same() {
    let place = Place::new();
    let first = place.json(&["seed", "--items"]);
    assert_eq!(
        (&first["items"], &first["created"]),
        (&100.into(), &100.into())
    );
    let again = place.run(&["seed", "--items"]);
    assert_eq!(
        again.stdout,
        "100 items: 0 created, 0 changed, 100 unchanged\n"
    );
    assert!(
        again
            .stderr
            .contains("100 items there already: stock stays as it is"),
        "{again:?}"
    );
    let other = place.json(&["seed", "--items", "120", "--seed", "8"]);
    assert_eq!(other["created"], 20);
    assert_eq!(place.json_lines(&["inventory", "list"]).len(), 120);
}

#[test]
fn more_items_than_a_batch_are_all_there_in_order() {
    let place = Place::seeded(2_500, 3);
    let items = place.json_lines(&["inventory", "list"]);
    assert_eq!(items.len(), 2_500);
    assert_eq!(items[2_499]["sku"], "SKU-02500");
    assert!(items.iter().all(|item| item["available"] == 3));
}

#[test]
fn our_own_csv_has_stock_of_its_own() {
    let place = Place::new();
    place.write(
        "c.csv",
        "sku,name,price,stock\nA,Lamp,1999,10\nB,\"Cup, blue\",250,0\n",
    );
    let seeded = place.json(&["seed", "--items", "c.csv"]);
    assert_eq!(seeded["created"], 2);
    let item = place.json(&["inventory", "show", "B"]);
    assert_eq!(item["name"], "Cup, blue");
    assert_eq!(
        (&item["price"], &item["available"]),
        (&250.into(), &0.into())
    );
    let line = place.fails(2, &["seed", "--items", "c.csv", "--stock", "5"]);
    assert!(line.contains("leave --stock out"), "{line}");
    place.fails(2, &["seed", "--items", "c.csv", "--seed", "5"]);
}

#[test]
fn of_a_known_item_name_and_price_change_and_stock_does_not() {
    let place = Place::new();
    place.write("c.csv", "sku,name,price,stock\nA,Lamp,1999,10\n");
    place.ok(&["seed", "--items", "c.csv"]);
    place.write("c.csv", "sku,name,price,stock\nA,Lamp,2999,99\n");
    assert_eq!(place.json(&["seed", "--items", "c.csv"])["changed"], 1);
    let item = place.json(&["inventory", "show", "A"]);
    assert_eq!(
        (&item["price"], &item["available"]),
        (&2999.into(), &10.into())
    );
}

#[test]
fn real_orders_become_items_and_no_row_vanishes() {
    let place = Place::new();
    let csv = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n\
        536365,85123A,HEART,6,2010-12-01 08:26:00,2.55,17850,United Kingdom\n\
        536365,85123A,HEART,1,2010-12-01 08:26:00,2.55,17850,United Kingdom\n\
        536365,71053,LANTERN,6,2010-12-01 08:26:00,3.39,17850,United Kingdom\n\
        C536379,71053,LANTERN,-1,2010-12-01 09:41:00,3.39,14527,United Kingdom\n";
    place.write("day.csv", csv);
    let seeded = place.json(&["seed", "--items", "day.csv", "--stock", "5"]);
    assert_eq!(seeded["created"], 2);
    let trace = &seeded["trace"];
    assert_eq!(trace["rows"], 4);
    assert_eq!(trace["order_lines"], 2);
    assert_eq!(trace["merged"], 1);
    assert_eq!(trace["skipped"]["cancellation"], 1);
    let item = place.json(&["inventory", "show", "85123A"]);
    assert_eq!(
        (&item["price"], &item["available"]),
        (&255.into(), &5.into())
    );
}

#[test]
fn broken_files_are_refused_and_nothing_is_seeded() {
    let place = Place::new();
    for text in [
        &b""[..],
        b"a,b\n1,2\n",
        b"sku,name,price,stock\nA,Lamp,-1,10\n",
        b"sku,name,price,stock\nA,Lamp,1,99999999999999999999\n",
        b"sku,name,price,stock\nA,Lamp,1\n",
        b"sku,name,price,stock\nA,\xff,1,1\n",
    ] {
        place.write("c.csv", text);
        let line = place.fails(1, &["seed", "--items", "c.csv"]);
        assert!(line.contains("c.csv"), "{line}");
    }
    place.fails(1, &["seed", "--items", "missing.csv"]);
    assert_eq!(place.json_lines(&["inventory", "list"]).len(), 0);
}
