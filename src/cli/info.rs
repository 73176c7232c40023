//! `nalcms info`.

use super::{Answer, Verb};

pub static VERB: Verb = Verb { name: "info", arguments: |command| command, run: |_| Ok(Answer::default()) };
