//! What the gateway's code knows of its build.

#[path = "build/commit.rs"]
mod commit;

fn main() {
    commit::tell();
}
