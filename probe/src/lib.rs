//! Says at which step WSUS synchronization breaks, why, what that rests on, and prints the repair.
//!
//! Settings and facts become a plan; the plan, walked, becomes evidence; evidence, by pure rules, becomes a
//! diagnosis; a diagnosis becomes a report. Left of the evidence everything may do I/O and nothing judges; right of
//! it everything judges and nothing does I/O.

pub mod cli;
pub mod codec;
pub mod codes;
pub mod collect;
pub mod collection;
pub mod describe;
pub mod diagnosis;
pub mod enumerate;
pub mod evidence;
pub mod facts;
pub mod net;
pub mod pages;
pub mod plan;
pub mod report;
pub mod rules;
pub mod run;
pub mod schannel;
pub mod settings;
pub mod step;
pub mod timeline;
pub mod trust;
pub mod walk;
