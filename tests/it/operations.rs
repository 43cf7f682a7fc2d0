//! Operations: the end-to-end check, demonstrations that say they are, and how the hub performs.

mod checked;
mod demonstrated;
mod measured;
