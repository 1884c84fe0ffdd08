"""The instance storage of a running contract: read once, written back when the call succeeds."""

from dataclasses import dataclass

from stellar_sdk import xdr

from billing.sandbox import entries, ordering


@dataclass(slots=True)
class Instance:
    executable: xdr.ContractExecutable
    pairs: dict[bytes, xdr.SCMapEntry]
    changed: bool = False

    @classmethod
    def of(cls, instance: xdr.SCContractInstance) -> "Instance":
        kept = [] if instance.storage is None else instance.storage.sc_map
        return cls(instance.executable, {pair.key.to_xdr_bytes(): pair for pair in kept})

    @property
    def code(self) -> bytes:
        assert self.executable.wasm_hash is not None
        return self.executable.wasm_hash.hash

    def get(self, key: xdr.SCVal) -> xdr.SCVal | None:
        pair = self.pairs.get(key.to_xdr_bytes())
        return None if pair is None else pair.val

    def put(self, key: xdr.SCVal, value: xdr.SCVal) -> None:
        self.pairs[key.to_xdr_bytes()] = xdr.SCMapEntry(key, value)
        self.changed = True

    def remove(self, key: xdr.SCVal) -> None:
        self.pairs.pop(key.to_xdr_bytes(), None)
        self.changed = True

    def to_scval(self) -> xdr.SCVal:
        pairs = sorted(self.pairs.values(), key=lambda pair: ordering.rank(pair.key))
        return entries.new_instance(self.executable, xdr.SCMap(pairs))
