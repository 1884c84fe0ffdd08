"""Which code an instance's executable names."""

from billing.sandbox import assets, contract
from billing.sandbox.host import Programs

PROGRAMS: Programs = {
    assets.EXECUTABLE.to_xdr_bytes(): assets.AssetContract(),
    contract.EXECUTABLE.to_xdr_bytes(): contract.PurchaseContract(),
}
