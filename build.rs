//! Builds the binary again when the console was built anew: the files of `static/dist` are embedded.

use std::fs;
use std::io;

fn main() -> io::Result<()> {
    // Cargo takes a path that is missing for one that always changes.
    fs::create_dir_all("static/dist")?;
    println!("cargo:rerun-if-changed=static/dist");
    Ok(())
}
