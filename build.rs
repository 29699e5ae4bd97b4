//! What the gateway's code knows of its build, and the page's files, compressed.

#[path = "build/commit.rs"]
mod commit;
#[path = "build/page.rs"]
mod page;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    commit::tell();
    page::compress()
}
