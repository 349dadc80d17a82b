//! The files of the corpus.

use std::{collections::BTreeMap, fs, path::Path};

/// What stands on the wire, by the name of the file.
pub(crate) struct Corpus(BTreeMap<String, Vec<u8>>);

/// Reads all files.
pub(crate) fn load() -> Corpus {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/garbage/corpus");
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "bin") {
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            files.insert(name, fs::read(&path).unwrap());
        }
    }
    assert!(20 <= files.len(), "the corpus is there: {:?}", files.keys());
    Corpus(files)
}

impl Corpus {
    /// Everything, with its name.
    pub(crate) fn all(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.0.iter().map(|(name, bytes)| (&**name, &**bytes))
    }

    /// What the names that contain `part` stand for.
    pub(crate) fn seeds(&self, part: &str) -> Vec<&[u8]> {
        self.all().filter(|(name, _)| name.contains(part)).map(|(_, bytes)| bytes).collect()
    }
}
