//! Fitting a model to the streets that it will watch, and proving the result: [`sample`] chooses frames that
//! differ, [`average_precision`] and [`agreement`] are the measures.

pub mod agreement;
pub mod average_precision;
pub mod labels;
pub mod sample;
