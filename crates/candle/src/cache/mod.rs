//! The key-value cache: pages of positions, and who holds them. The numbers in them are [`trillm_kernels::Cells`].

mod pages;

pub(crate) use pages::Pages;
