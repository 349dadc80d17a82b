//! One of each kind of type, and a strategy that makes them.

use std::collections::BTreeMap;

use proptest::{collection, option, prelude::*};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Zoo {
    pub(crate) integers: (u8, u16, u32, u64, u128),
    pub(crate) signed: (i8, i16, i32, i64, i128),
    pub(crate) size: usize,
    pub(crate) floats: [f32; 2],
    pub(crate) double: f64,
    pub(crate) yes: bool,
    pub(crate) letter: char,
    pub(crate) text: String,
    pub(crate) unit: (),
    pub(crate) marker: Marker,
    pub(crate) metres: Metres,
    pub(crate) point: Point,
    pub(crate) maybe: Option<Option<String>>,
    pub(crate) list: Vec<Shape>,
    pub(crate) map: BTreeMap<String, Vec<u16>>,
    pub(crate) nothing: Vec<()>,
    pub(crate) result: Result<u8, String>,
    pub(crate) tree: Tree,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Marker;

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Metres(pub(crate) f64);

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Point(pub(crate) i32, pub(crate) i32);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Shape {
    Nothing,
    Circle(f64),
    Line(Point, Point),
    Path { name: String, points: Vec<Point>, closed: bool },
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Tree {
    pub(crate) name: String,
    pub(crate) children: Vec<Tree>,
}

/// A list that nests as deep as it is long.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Chain {
    pub(crate) next: Option<Box<Chain>>,
}

impl Chain {
    pub(crate) fn of(links: usize) -> Self {
        (1..links).fold(Self::default(), |chain, _| Self { next: Some(Box::new(chain)) })
    }
}

pub(crate) fn point() -> impl Strategy<Value = Point> {
    any::<(i32, i32)>().prop_map(|(x, y)| Point(x, y))
}

pub(crate) fn shape() -> impl Strategy<Value = Shape> {
    prop_oneof![
        Just(Shape::Nothing),
        (-1e9..1e9).prop_map(Shape::Circle),
        (point(), point()).prop_map(|(from, to)| Shape::Line(from, to)),
        (".*", collection::vec(point(), 0..5), any::<bool>())
            .prop_map(|(name, points, closed)| Shape::Path { name, points, closed }),
    ]
}

pub(crate) fn tree() -> impl Strategy<Value = Tree> {
    let leaf = ".{0,5}".prop_map(|name| Tree { name, children: vec![] });
    leaf.prop_recursive(5, 20, 3, |inner| {
        (".{0,5}", collection::vec(inner, 0..3))
            .prop_map(|(name, children)| Tree { name, children })
    })
}

pub(crate) fn zoo() -> impl Strategy<Value = Zoo> {
    let numbers = (
        any::<(u8, u16, u32, u64, u128)>(),
        any::<(i8, i16, i32, i64, i128)>(),
        any::<usize>(),
        [-1e9f32..1e9, -1.0..1.0],
        (-1e9..1e9, -1e9..1e9),
        point(),
    );
    let collections = (
        option::of(option::of(".*")),
        collection::vec(shape(), 0..6),
        collection::btree_map(".{0,8}", any::<Vec<u16>>(), 0..4),
        (0..100_usize).prop_map(|len| vec![(); len]),
        any::<Result<u8, String>>(),
        tree(),
    );
    (numbers, (any::<bool>(), any::<char>(), ".*"), collections).prop_map(
        |((integers, signed, size, floats, (double, metres), point), scalars, collections)| {
            let (yes, letter, text) = scalars;
            let (maybe, list, map, nothing, result, tree) = collections;
            let (unit, marker, metres) = ((), Marker, Metres(metres));
            Zoo {
                integers,
                signed,
                size,
                floats,
                double,
                yes,
                letter,
                text,
                unit,
                marker,
                metres,
                point,
                maybe,
                list,
                map,
                nothing,
                result,
                tree,
            }
        },
    )
}
