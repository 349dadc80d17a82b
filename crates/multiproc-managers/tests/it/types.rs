//! The standard types through their proxies.

use multiproc_managers::{ListProxy, Manager, pickle::Object};

#[test]
fn list_is_python_s() {
    let manager = Manager::start().unwrap();
    let list = manager.list(0..5i64).unwrap();
    assert_eq!(list.slice(2, 10).unwrap(), [2, 3, 4]);
    let outer: ListProxy<ListProxy<i64>> = manager.list([list.clone()]).unwrap();
    list.append(9).unwrap();
    assert_eq!(outer.get(0).unwrap().to_vec().unwrap(), [0, 1, 2, 3, 4, 9]);
    let any = manager.list::<Object>([]).unwrap();
    any.append("x").unwrap();
    assert_eq!(any.to_string(), "['x']");
    manager.shutdown().unwrap();
}
