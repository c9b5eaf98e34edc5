"""OCSP responses of any date and status for the lab's servers, signed by the issuing authority."""
import datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509 import ocsp


def _certificate(pki, name):
    with open(pki.path(name + ".crt"), "rb") as f:
        return x509.load_pem_x509_certificate(f.read())


def make(pki, target, about, issuer="inter", revoked=False, days=(-1, 6), signer=None):
    """Writes TARGET (DER): what ISSUER says of ABOUT, from days[0] to days[1] (days from now); signer: another
    certificate with its key that signs in the issuer's place, its own shown along. Returns the path."""
    now = datetime.datetime.utcnow().replace(microsecond=0)
    day = datetime.timedelta(days=1)
    by = signer or issuer
    with open(pki.path(by + ".key"), "rb") as f:
        key = serialization.load_pem_private_key(f.read(), None)
    built = ocsp.OCSPResponseBuilder().add_response(
        cert=_certificate(pki, about), issuer=_certificate(pki, issuer), algorithm=hashes.SHA1(),
        cert_status=ocsp.OCSPCertStatus.REVOKED if revoked else ocsp.OCSPCertStatus.GOOD,
        this_update=now + days[0] * day, next_update=now + days[1] * day,
        revocation_time=now - 3 * day if revoked else None,
        revocation_reason=x509.ReasonFlags.key_compromise if revoked else None,
    ).responder_id(ocsp.OCSPResponderEncoding.HASH, _certificate(pki, by))
    if signer:
        built = built.certificates([_certificate(pki, signer)])
    path = pki.path(target)
    with open(path, "wb") as f:
        f.write(built.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER))
    return path
