//! On the real host: real signatures, explicit authorization entries, classic accounts and
//! trustlines behind the asset contract. Nothing is mocked. What the source must do, the committed
//! wasm must do as well: `Code::both`.

mod admin;
mod amounts;
mod lives;
mod purchases;
mod refusals;
mod scenes;
mod signing;
mod town;
mod vectors;
