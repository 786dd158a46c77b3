"""The first messages of a remote desktop: Connection Request and Confirm ([MS-RDPBCGR] 2.2.1.1, 2.2.1.2)."""

REQUEST = bytes.fromhex("03000013" + "0ee00000000000" + "0100080001000000")
"""What a client says first: TPKT, Connection Request, and that it asks for TLS (RDP_NEG_REQ)."""
TLS = "TLS"
CONFIRM = 0xD0
RESPONSE, FAILURE = 2, 3
PROTOCOLS = {0: "its own encryption, without TLS", 1: TLS}
FAILURES = {
    1: "it wants TLS (SSL_REQUIRED_BY_SERVER)",
    2: "it does without TLS (SSL_NOT_ALLOWED_BY_SERVER)",
    3: "it has no certificate, or may not read its key (SSL_CERT_NOT_ON_SERVER)",
    4: "INCONSISTENT_FLAGS",
    5: "it wants to know who comes before it speaks TLS (HYBRID_REQUIRED_BY_SERVER)",
    6: "it wants a client's certificate (SSL_WITH_USER_AUTH_REQUIRED_BY_SERVER)",
}


def offered(answer: bytes) -> str:
    """Return what a server offers who got REQUEST: `TLS`, or in words what else it said."""
    if len(answer) < 11 or answer[0] != 3 or int.from_bytes(answer[2:4], "big") != len(answer):
        return f"no answer of a remote desktop: {answer[:32].hex() or 'nothing'}"
    if answer[5] != CONFIRM:
        return f"no Connection Confirm: {answer[5]:#04x}"
    if len(answer) < 19:
        return PROTOCOLS[0]  # a server that knows nothing of negotiations
    number = int.from_bytes(answer[15:19], "little")
    if answer[11] == RESPONSE:
        return PROTOCOLS.get(number, f"the protocol {number}, for which nobody asked")
    if answer[11] == FAILURE:
        return f"refused: {FAILURES.get(number, f'failure {number}')}"
    return f"no answer to what was asked for: {answer[11]:#04x}"
