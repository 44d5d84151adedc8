/** Errors of the wire: each has a stable `code`, names the peer at fault where there is one, and reads `what: expected X, got Y`. */

/** The common class: `code` is stable and machine-readable, `peer` is the party at fault (null: this party or nobody). */
export class WireError extends Error {
  readonly code: string;
  readonly peer: string | null;

  constructor(code: string, message: string, peer: string | null = null) {
    super(message);
    this.name = new.target.name;
    this.code = code;
    this.peer = peer;
  }
}

/** A frame that this protocol does not allow: wrong magic, version, kind, word, shape, length, or out of place. */
export class FrameError extends WireError {
  constructor(peer: string | null, message: string) {
    super("WIRE_FRAME", `frame from ${peer ?? "an unnamed peer"}: ${message}`, peer);
  }
}

/** A frame, tensor or control message beyond its bound. */
export class OversizedError extends WireError {
  constructor(peer: string | null, message: string) {
    super("WIRE_OVERSIZED", message, peer);
  }
}

/** A frame came twice, or one is missing: its sequence number on the link is not the next one. */
export class SequenceError extends WireError {
  constructor(peer: string | null, message: string) {
    super("WIRE_SEQUENCE", message, peer);
  }
}

/** A control message that is not JSON, has an unknown type, or breaks its schema. */
export class ControlError extends WireError {
  constructor(peer: string | null, message: string) {
    super("WIRE_CONTROL", message, peer);
  }
}

/** A second message under a key that was used before, or a second receive of one. */
export class DuplicateMessageError extends WireError {
  constructor(peer: string | null, message: string) {
    super("WIRE_DUPLICATE", message, peer);
  }
}

/** More messages for sessions that this party has not opened than it holds back. */
export class UnknownSessionError extends WireError {
  constructor(peer: string | null, message: string) {
    super("WIRE_UNKNOWN_SESSION", message, peer);
  }
}

/** More unread messages of one peer than the mailbox may hold. */
export class MailboxFullError extends WireError {
  constructor(peer: string | null, message: string) {
    super("WIRE_MAILBOX_FULL", message, peer);
  }
}

/** More unsent bytes on one link than may wait: the caller did not await its sends, or the peer does not read. */
export class SendBufferFullError extends WireError {
  constructor(peer: string | null, message: string) {
    super("WIRE_SEND_BUFFER_FULL", message, peer);
  }
}

/** The peer's hello differs from ours in a field that must agree; the message names the field and both values. */
export class HandshakeError extends WireError {
  constructor(peer: string | null, message: string) {
    super("WIRE_HANDSHAKE", message, peer);
  }
}

/** A party that this endpoint does not expect, or expects elsewhere, or has a link with already. */
export class UnknownPartyError extends WireError {
  constructor(peer: string | null, message: string) {
    super("WIRE_UNKNOWN_PARTY", message, peer);
  }
}

/** A party that is linked already asks for a second link: another client is being served, or its loss hasn't been noticed yet. */
export class BusyError extends WireError {
  constructor(peer: string | null, message: string) {
    super("WIRE_BUSY", message, peer);
  }
}

/** Something that was waited for did not come in time. */
export class DeadlineError extends WireError {
  constructor(peer: string | null, message: string) {
    super("WIRE_DEADLINE", message, peer);
  }
}

/** A peer vanished without a goodbye: its socket closed, or it was silent too long. */
export class PeerLostError extends WireError {
  constructor(peer: string | null, message: string) {
    super("WIRE_PEER_LOST", message, peer);
  }
}

/** The link was closed in good order, by this party or by the peer. */
export class LinkClosedError extends WireError {
  constructor(peer: string | null, message: string) {
    super("WIRE_LINK_CLOSED", message, peer);
  }
}

/** Another party ended the run; `reason` is the first cause in its words, `peer` the party at fault, `reporter` who said so. */
export class AbortedError extends WireError {
  readonly reporter: string;
  readonly reason: string;
  readonly reasonCode: string;

  constructor(peer: string | null, reporter: string, reason: string, reasonCode: string) {
    super("WIRE_ABORTED", `aborted by ${reporter}: ${reason}`, peer);
    this.reporter = reporter;
    this.reason = reason;
    this.reasonCode = reasonCode;
  }
}

/** A tensor that arrived has another shape or word than the receiver expects. */
export class ShapeError extends WireError {
  constructor(peer: string | null, message: string) {
    super("WIRE_SHAPE", message, peer);
  }
}

/** A finite value that the session's float16 words can't hold. */
export class Float16RangeError extends WireError {
  constructor(message: string) {
    super("WIRE_FLOAT16_RANGE", message);
  }
}

/** The session was closed by this party while a receive was pending, or is used after that. */
export class SessionClosedError extends WireError {
  constructor(message: string) {
    super("WIRE_SESSION_CLOSED", message);
  }
}

/** Plain ws:// on an address that is not loopback, or an unusable address. */
export class AddressError extends WireError {
  constructor(message: string) {
    super("WIRE_ADDRESS", message);
  }
}

/** The address to listen on is taken, or may not be used. */
export class ListenError extends WireError {
  constructor(message: string) {
    super("WIRE_LISTEN", message);
  }
}

/** The peer could not be reached within the connection deadline. */
export class ConnectError extends WireError {
  constructor(message: string) {
    super("WIRE_CONNECT", message);
  }
}

/** The peer's certificate, or ours, is not accepted. */
export class CertificateError extends WireError {
  constructor(message: string) {
    super("WIRE_CERTIFICATE", message);
  }
}
