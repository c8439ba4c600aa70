//! Files of our own making, and the real ones where they are present.

use std::collections::{BTreeMap, HashSet};
use std::path::PathBuf;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::domain::{Money, Sku};

fn read_bytes(bytes: &[u8]) -> Result<File, Error> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("items.csv");
    fs::write(&path, bytes).unwrap();
    read(&path)
}

fn own(text: &str) -> Vec<NewItem> {
    match read_bytes(text.as_bytes()).unwrap() {
        File::Own(items) => items,
        File::OnlineRetail(_) => panic!("read as real orders"),
    }
}

/// The message after the file's name.
fn refused(bytes: impl AsRef<[u8]>) -> String {
    let message = read_bytes(bytes.as_ref()).unwrap_err().to_string();
    message.split_once("items.csv").unwrap().1.to_owned()
}

fn trace(rows: &str) -> Trace {
    let text = format!("{}\n{rows}", retail::HEADER);
    match read_bytes(text.as_bytes()).unwrap() {
        File::OnlineRetail(trace) => trace,
        File::Own(_) => panic!("read as items"),
    }
}

#[test]
fn a_seed_repeats_its_catalogue_and_more_items_leave_the_first_ones_alone() {
    let items = synthetic(1_000, 100, 7);
    assert_eq!(items[..10], synthetic(10, 100, 7)[..]);
    assert_ne!(items, synthetic(1_000, 100, 8));
    assert_eq!(items[0].sku.as_str(), "SKU-00001");
    assert_eq!(items[999].sku.as_str(), "SKU-01000");
    for item in &items {
        assert_eq!(item.stock, 100);
        assert!((199..=19_999).contains(&item.price.minor()));
        assert_eq!(check_name(&item.name), Ok(item.name.as_str()));
    }
}

#[test]
fn columns_stand_in_any_order_and_a_mark_and_windows_line_ends_do_no_harm() {
    let items = own(
        "\u{feff}stock,price,sku,name\r\n 7 ,250,A,\"Lamp, \"\"tall\"\"\"\r\n\r\n0,0,a,Tëa\r\n",
    );
    assert_eq!(
        items,
        [
            NewItem {
                sku: Sku::new("A").unwrap(),
                name: "Lamp, \"tall\"".to_owned(),
                price: Money::new(250).unwrap(),
                stock: 7,
            },
            NewItem {
                sku: Sku::new("a").unwrap(),
                name: "Tëa".to_owned(),
                price: Money::ZERO,
                stock: 0,
            },
        ]
    );
}

#[test]
fn one_bad_row_refuses_the_whole_file_and_the_message_says_where() {
    let row = |row: &str| refused(format!("sku,name,price,stock\nA,Lamp,1,1\n\n{row}\n"));
    for (bad, message) in [
        (
            "B,Tea,12.99,1",
            ":4: price `12.99`: expected a whole number of minor units, such as 1999 for a price of 19.99",
        ),
        (
            "B,Tea,-1,1",
            ":4: price `-1`: the amount -1 is out of range: 0 to 9000000000000000 minor units are allowed",
        ),
        (
            "B,Tea,1,-1",
            ":4: stock `-1`: the stock is negative: 0 or more units are needed",
        ),
        (
            "B,Tea,1,99999999999999999999",
            ":4: stock `99999999999999999999`: expected a whole number of units, such as 100",
        ),
        (
            "B,Tea,1,1000000000001",
            ":4: stock `1000000000001`: the stock is too large: at most 1000000000000 units are allowed",
        ),
        ("B,Tea,1", ":4: 3 fields where the header has 4"),
        (" ,Tea,1,1", ":4: sku ``: the SKU is empty"),
        ("B,,1,1", ":4: name ``: the name is empty"),
        (
            " A ,Tea,1,1",
            ":4: sku `A` is already in line 2: remove one of them",
        ),
        (
            "B,\"Tea,1,1\nC,Cup,1,1",
            ":4: a quoted field is not closed: close it, and write a quote inside a quoted field as `\"\"`",
        ),
        (
            "B,\"Tea,1,1\nC,\"Cup\",1,1",
            ":4: text follows a quoted field: close it, and write a quote inside a quoted field as `\"\"`",
        ),
        (
            "B,\"Tea\ncup\",1,1",
            ":4: name `Tea cup`: the name contains a control character",
        ),
    ] {
        assert_eq!(row(bad), message, "{bad}");
    }
    assert!(row(&format!("{},Tea,1,1", "B".repeat(65))).contains("the SKU has 65 bytes"));
    assert!(row(&format!("B,{},1,1", "é".repeat(101))).contains("the name has 202 bytes"));
    assert_eq!(
        refused(b"sku,name,price,stock\nA,Caf\xe9,1,1\n"),
        ":2: name is not UTF-8: save the file as CSV in UTF-8"
    );
}

#[test]
fn a_header_that_is_neither_format_is_told_what_was_expected() {
    assert!(refused("a;b;c\n").starts_with(": cannot tell what the columns `a;b;c` are: expected"));
    for (header, message) in [
        ("sku,name,price", "has no column `stock`"),
        ("sku,name,price,stock,sku", "has two columns `sku`"),
        ("sku,name,price,stock,size", "has an unknown column `size`"),
    ] {
        let expected = format!(
            ": the header {message}: expected the columns `sku,name,price,stock`, in any order"
        );
        assert_eq!(refused(format!("{header}\nA\n")), expected);
    }
    assert!(refused("InvoiceNo,StockCode\n1,2\n").contains("has no column `Description`"));
    assert!(refused("").starts_with(" is empty: expected a header"));
    assert!(refused("\n\n").starts_with(" is empty: expected a header"));
    assert!(refused("sku,name,price,stock\n").starts_with(" has a header and no items"));
    assert!(refused(b"\xff\xfes\0k\0u\0").starts_with(":1: the header is not UTF-8"));
    assert!(refused(b"s\0k\0u\0,\0").starts_with(":1: the header is not UTF-8"));
}

#[test]
fn a_path_that_is_no_readable_file_is_told_apart() {
    let dir = tempfile::tempdir().unwrap();
    let directory = read(dir.path()).unwrap_err().to_string();
    assert!(
        directory.ends_with("is a directory: name a CSV file"),
        "{directory}"
    );
    assert!(matches!(
        read(&dir.path().join("none.csv")),
        Err(Error::Read { .. })
    ));
}

#[test]
fn every_row_of_real_orders_is_a_line_or_merged_or_skipped_for_a_reason() {
    let trace = trace(
        "1,22086,PAPER CHAIN,2,2010-12-01 08:26:00,2.55,17850.0,United Kingdom
1,22086,,3,2010-12-01 08:26:00,2.95,17850.0,United Kingdom
1,85123a,,1,2010-12-01 08:26:00,0.005,,
1,85123A,Lantern,1,2010-12-01 08:26:00,1,,
2,DCGS0066P,Gift,1,12/1/2010 8:24,4.5,,France
C3,22086,PAPER CHAIN,-2,2010-12-01 09:00:00,2.55,1,France
4,POST,Postage,1,2010-12-01 09:00:00,18,1,France
4,22086,free,1,2010-12-01 09:00:00,0.0,1,France
4,22086,damaged,-9,2010-12-01 09:00:00,0,1,France
4,22086,returned,-9,2010-12-01 09:00:00,1,1,France
4,22086,too many,1000001,2010-12-01 09:00:00,1,1,France
4,22086,too many,99999999999999999999,2010-12-01 09:00:00,1,1,France
4,22086,bad date,1,2010-13-01 09:00:00,1,1,France
C4,22086,bad number,x,2010-12-01 09:00:00,1,1,France
,22086,no invoice,1,2010-12-01 09:00:00,1,1,France
5,22086,short,1
",
    );
    assert_eq!(trace.rows, 16);
    assert_eq!((trace.order_lines, trace.merged), (4, 1));
    let skipped: Vec<(&str, u64)> = (trace.skipped.iter())
        .map(|(reason, rows)| (reason.as_str(), *rows))
        .collect();
    assert_eq!(
        skipped,
        [
            ("malformed", 4),
            ("cancellation", 1),
            ("not_a_product", 1),
            ("price_zero", 2),
            ("quantity_not_positive", 1),
            ("out_of_range", 2),
        ]
    );
    // C3, 4 and C4; the last two rows name none.
    assert_eq!(trace.empty_invoices, 3);
    let invoices: Vec<_> = (trace.invoices.iter())
        .map(|invoice| {
            (
                invoice.number.as_str(),
                invoice.customer.as_str(),
                invoice.at,
                invoice.cart.lines().len(),
            )
        })
        .collect();
    assert_eq!(
        invoices,
        [
            ("2", "guest-2", Duration::ZERO, 1),
            ("1", "17850", Duration::from_secs(120), 3),
        ]
    );
    let items: Vec<_> = (trace.items(5).into_iter())
        .map(|item| {
            (
                item.sku.to_string(),
                item.name,
                item.price.minor(),
                item.stock,
            )
        })
        .collect();
    let item = |sku: &str, name: &str, price| (sku.to_owned(), name.to_owned(), price, 5);
    assert_eq!(
        items,
        [
            item("22086", "PAPER CHAIN", 255),
            item("85123A", "Lantern", 100),
            item("85123a", "85123a", 1),
            item("DCGS0066P", "Gift", 450),
        ]
    );
}

#[test]
fn codes_that_are_no_stock_codes_are_not_products() {
    for code in [
        "POST",
        "DOT",
        "M",
        "m",
        "C2",
        "D",
        "S",
        "CRUK",
        "AMAZONFEE",
        "BANK CHARGES",
        "gift_0001_40",
        "PADS",
        "DCGS",
        "2208",
        "22086-1",
        "220861",
        "",
    ] {
        let trace = trace(&format!("1,{code},x,1,2010-12-01 08:26:00,1,1,UK\n"));
        assert_eq!(
            trace.skipped.get(&SkipReason::NotAProduct),
            Some(&1),
            "{code}"
        );
    }
    for code in [
        "22086", "85123A", "79323GR", "DCGS0003", "DCGSSBOY", "47503J ",
    ] {
        let trace = trace(&format!("1,{code},x,1,2010-12-01 08:26:00,1,1,UK\n"));
        assert_eq!(trace.order_lines, 1, "{code}");
    }
}

#[test]
fn bytes_that_are_no_text_are_malformed_in_a_code_and_replaced_in_a_description() {
    let mut bytes = format!("{}\n", retail::HEADER).into_bytes();
    bytes.extend_from_slice(b"1,22086,5\xa3 NOTE,1,2010-12-01 08:26:00,1,1,UK\n");
    bytes.extend_from_slice(b"1,2208\xa3,x,1,2010-12-01 08:26:00,1,1,UK\n");
    let File::OnlineRetail(trace) = read_bytes(&bytes).unwrap() else {
        panic!("read as items");
    };
    assert_eq!(trace.items(1)[0].name, "5\u{fffd} NOTE");
    assert_eq!(trace.skipped, BTreeMap::from([(SkipReason::Malformed, 1)]));
}

#[test]
fn a_cart_beyond_its_limits_loses_only_the_rows_beyond() {
    let row = |code: i32, units: i32| format!("1,{code},x,{units},2010-12-01 08:26:00,1,1,UK");
    let mut rows: Vec<String> = (10_000..11_001).map(|code| row(code, 1)).collect();
    rows.push(row(10_000, 1_000_000));
    let trace = trace(&rows.join("\n"));
    assert_eq!(trace.order_lines, 1_000);
    assert_eq!(trace.skipped, BTreeMap::from([(SkipReason::OutOfRange, 2)]));
    assert_eq!(trace.invoices[0].cart.lines()[0].quantity.units(), 1);
}

/// One field of a row: mostly sound, sometimes not.
fn field(
    sound: &'static [&'static str],
    odd: &'static [&'static str],
) -> impl Strategy<Value = String> {
    prop_oneof![
        6 => prop::sample::select(sound),
        1 => prop::sample::select(odd),
    ]
    .prop_map(str::to_owned)
}

fn any_row() -> impl Strategy<Value = String> {
    let sound = (
        field(&["1", "2", "3"], &["", "C4", "c5", " "]),
        field(&["22086", "22087", "85123A"], &["POST", "", "\"a\nb\""]),
        field(&["Lamp", "\"Tea, cup\""], &["", "\"\"\"\""]),
        field(
            &["1", "2", "999999"],
            &["0", "-1", "x", "1.5", "1000001", ""],
        ),
        field(
            &["2010-12-01 08:26:00", "12/1/2010 8:27"],
            &["", "2010-12-01", "2010-02-30 08:00:00", "1/1/1 1:1:1:1"],
        ),
        field(&["2.55", "1"], &["0", "-1", "", "x", "99999999999999999"]),
        field(&["17850.0", ""], &["x", "\u{1}"]),
    )
        .prop_map(|(a, b, c, d, e, f, g)| format!("{a},{b},{c},{d},{e},{f},{g},UK"));
    prop_oneof![12 => sound, 1 => "[a-z, ]{1,20}"]
}

proptest! {
    #[test]
    fn rows_are_order_lines_and_merged_and_skipped_whatever_is_in_them(
        rows in prop::collection::vec(any_row(), 0..60),
    ) {
        let rows = rows.join("\n");
        let trace = trace(&rows);
        let records = csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .from_reader(rows.as_bytes())
            .byte_records()
            .count() as u64;
        prop_assert_eq!(trace.rows, records);
        prop_assert_eq!(trace.rows, trace.order_lines + trace.merged + trace.skipped.values().sum::<u64>());
        let lines: u64 = trace.invoices.iter().map(|invoice| invoice.cart.lines().len() as u64).sum();
        prop_assert_eq!(lines, trace.order_lines);
        let skus: HashSet<_> =
            trace.invoices.iter().flat_map(|invoice| invoice.cart.lines()).map(|line| line.sku.clone()).collect();
        prop_assert_eq!(trace.items(1).len(), skus.len());
        prop_assert!(trace.invoices.windows(2).all(|pair| pair[0].at <= pair[1].at));
        prop_assert!(trace.invoices.first().is_none_or(|first| first.at.is_zero()));
    }

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), format in 0usize..3) {
        let header: &str = ["", "sku,name,price,stock\n", retail::HEADER][format];
        let _ = read_bytes(&[header.as_bytes(), &bytes].concat());
    }
}

#[test]
fn the_real_days_are_read_to_the_last_row() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/data/online-retail");
    // Each day's rows, order invoices, empty invoices, order lines, merged rows and items, counted by another program.
    let days = [
        ("2010-12-01.csv", [3_108, 127, 16, 2_966, 98, 1_336]),
        ("2011-11-29.csv", [4_313, 135, 16, 4_162, 117, 1_554]),
        ("2011-12-05.csv", [5_331, 126, 25, 5_185, 96, 1_763]),
    ];
    for (day, counts) in days {
        let path = folder.join(day);
        if !path.exists() {
            eprintln!("NOT TESTED: {} is not here", path.display());
            continue;
        }
        let File::OnlineRetail(trace) = read(&path).unwrap() else {
            panic!("{day} was read as items");
        };
        let found = [
            trace.rows,
            trace.invoices.len() as u64,
            trace.empty_invoices,
            trace.order_lines,
            trace.merged,
            trace.items(1).len() as u64,
        ];
        assert_eq!(found, counts, "{day}");
        let skipped: u64 = trace.skipped.values().sum();
        assert_eq!(
            trace.rows,
            trace.order_lines + trace.merged + skipped,
            "{day}"
        );
        let numbers: HashSet<_> = (trace.invoices.iter())
            .map(|invoice| &invoice.number)
            .collect();
        assert_eq!(numbers.len(), trace.invoices.len(), "{day}");
    }
}
