//! What arrives signed, from a peer or in a file: within its limit, whole, and by whom it names.
//!
//! What it is not: whether it fits what is known; that is for the mind to say.
use crate::{host, keys};
use coordinator_free_scheduler::{
    BATCH_BYTES_MAX, BATCH_CONTEXT, MANIFEST_BYTES_MAX, MANIFEST_CONTEXT, Manifest, ManifestError,
    PeerKey, SignedBatch, SignedManifest, Statement,
    statement::Batch,
    wire::{self, WireError},
};

/// Bytes that a signature and lengths add.
const ENVELOPE_BYTES: usize = 128;
/// Largest encoded [`SignedManifest`].
pub const SIGNED_MANIFEST_BYTES_MAX: usize = MANIFEST_BYTES_MAX + ENVELOPE_BYTES;
/// Largest encoded [`SignedBatch`].
pub const SIGNED_BATCH_BYTES_MAX: usize = BATCH_BYTES_MAX + ENVELOPE_BYTES;

/// Why something signed is not what it should be.
#[derive(Debug, thiserror::Error)]
pub enum Unsound {
    #[error("is none: {0}")]
    Bytes(#[from] WireError),
    #[error("is none: {0}")]
    Manifest(#[from] ManifestError),
    #[error("is not signed by whom it names, {0}")]
    Signature(PeerKey),
    #[error("says that {0} is a donor's node, who has not signed it")]
    Link(PeerKey),
}

/// A manifest that came as bytes.
pub fn decode_manifest(bytes: &[u8]) -> Result<(SignedManifest, Manifest), Unsound> {
    let signed: SignedManifest = wire::decode(bytes, SIGNED_MANIFEST_BYTES_MAX)?;
    manifest(&signed).map(|manifest| (signed, manifest))
}

/// A batch of statements that came as bytes.
pub fn decode_batch(bytes: &[u8]) -> Result<(SignedBatch, Batch), Unsound> {
    let signed: SignedBatch = wire::decode(bytes, SIGNED_BATCH_BYTES_MAX)?;
    batch(&signed).map(|batch| (signed, batch))
}

/// What an owner signed.
pub fn manifest(signed: &SignedManifest) -> Result<Manifest, Unsound> {
    let manifest = signed.open()?;
    match keys::verify(manifest.owner, MANIFEST_CONTEXT, &signed.bytes, &signed.signature) {
        true => Ok(manifest),
        false => Err(Unsound::Signature(manifest.owner)),
    }
}

/// What a peer signed.
pub fn batch(signed: &SignedBatch) -> Result<Batch, Unsound> {
    let batch = signed.open()?;
    if !keys::verify(batch.author, BATCH_CONTEXT, signed.bytes(), &signed.signature().0) {
        return Err(Unsound::Signature(batch.author));
    }
    let links = batch.statements.iter().filter_map(|statement| match statement {
        Statement::Host(host) => host.link.as_ref(),
        _ => None,
    });
    match links.into_iter().all(|link| host::holds(batch.author, link)) {
        true => Ok(batch),
        false => Err(Unsound::Link(batch.author)),
    }
}
