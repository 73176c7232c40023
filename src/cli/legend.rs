//! `nalcms legend`.

use super::{Answer, Verb};

pub static VERB: Verb = Verb { name: "legend", arguments: |command| command, run: |_| Ok(Answer::default()) };
