//! Items that cannot be written or read: each costs itself only.

use std::fs::File;

use multiproc::{
    Queue,
    queue::{GetError, PutError, TryGetError, TryPutError},
    wire::Fd,
};
use multiproc_tests::{TestResult, once};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};

once! {
    bad_items_cost_themselves_only,
    bad_items_among_many_cost_themselves_only,
    bad_item_takes_its_descriptors_along,
    queue_full_of_descriptors_is_full,
}

/// A number that is not written if it is 12, and not read if it is 13.
#[derive(Debug, PartialEq)]
struct Shy(u32);

impl Serialize for Shy {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            12 => Err(ser::Error::custom("twelve is shy")),
            number => number.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Shy {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match u32::deserialize(deserializer)? {
            13 => Err(de::Error::custom("thirteen is shy")),
            number => Ok(Self(number)),
        }
    }
}

fn bad_items_cost_themselves_only() -> TestResult {
    let q = Queue::<Shy>::bounded(9)?;
    q.put(Shy(11))?;
    let refused = q.put(Shy(12));
    assert!(
        matches!(&refused, Err(PutError::Encode(Shy(12), why)) if format!("{why:?}").contains("shy")),
        "{refused:?}"
    );
    assert!(matches!(q.try_put(Shy(12)), Err(TryPutError::Failed(PutError::Encode(Shy(12), _)))));
    for number in [13, 14, 13, 15] {
        q.put(Shy(number))?;
    }
    assert_eq!((q.qsize(), q.get()?), (5, Shy(11)));
    let lost = q.get();
    assert!(
        matches!(&lost, Err(GetError::Decode(why)) if format!("{why:?}").contains("shy")),
        "{lost:?}"
    );
    assert_eq!(q.get()?, Shy(14));
    assert!(matches!(q.try_get(), Err(TryGetError::Failed(GetError::Decode(_)))));
    assert_eq!((q.try_get()?, q.qsize()), (Shy(15), 0));
    Ok(())
}

fn bad_items_among_many_cost_themselves_only() -> TestResult {
    let q = Queue::<Shy>::new()?;
    let refused = q.put_many([10, 11, 12, 16].map(Shy));
    assert!(matches!(refused, Err(PutError::Encode(Shy(12), _))), "{refused:?}");
    assert_eq!(q.get_many(9)?, [10, 11].map(Shy), "what came before it has been put");
    assert_eq!(q.put_many([13, 14, 13, 15].map(Shy))?, 4);
    assert_eq!(q.get_many(9)?, [14, 15].map(Shy));
    q.put(Shy(13))?;
    assert!(matches!(q.get_many(9), Err(GetError::Decode(_))), "there is nothing else to tell");
    assert!(q.is_empty()?);
    Ok(())
}

fn bad_item_takes_its_descriptors_along() -> TestResult {
    let q = Queue::<(Fd<File>, Shy)>::new()?;
    for number in [11, 13, 14] {
        q.put((Fd(File::open("/dev/null")?), Shy(number)))?;
    }
    assert_eq!(q.get()?.1, Shy(11));
    assert!(matches!(q.get(), Err(GetError::Decode(_))));
    let (file, number) = q.get()?;
    assert_eq!(number, Shy(14));
    file.metadata()?;
    Ok(())
}

fn queue_full_of_descriptors_is_full() -> TestResult {
    let q = Queue::<Fd<File>>::bounded(1_000_000)?;
    let mut count = 0;
    let back = loop {
        match q.try_put(Fd(File::open("/dev/null")?)) {
            Ok(()) => count += 1,
            Err(TryPutError::Full(back)) => break back,
            Err(TryPutError::Failed(err)) => return Err(err.into()),
        }
    };
    assert_eq!(q.qsize(), count);
    for _ in 0..count {
        q.get()?.metadata()?;
    }
    q.try_put(back)?;
    q.get()?.metadata()?;
    Ok(())
}
