//! The binary `ringshift`: look at routing state, and make it.

mod cli;

fn main() -> std::process::ExitCode {
    cli::main()
}
