//! What the fuzz targets do with their bytes. The ordinary tests replay the corpora through the same functions.

include!("targets.rs");
