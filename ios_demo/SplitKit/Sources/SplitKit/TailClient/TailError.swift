import Foundation

/// Why the tail gave no logits, in words a person can act on.
public enum TailError: Error, LocalizedError, Equatable {
    /// No connection, or it broke.
    case unreachable(String)
    /// Nothing came in time.
    case timedOut(seconds: Double)
    /// 503, after all attempts.
    case busy(attempts: Int)
    /// 409: head and tail belong to different bundles.
    case bundleMismatch(tail: String, head: String)
    /// 401.
    case tokenRefused
    /// Any other status, with the server's sentence.
    case refused(status: Int, String)
    /// 200 with something that is not an answer.
    case badAnswer(String)
    /// Features and the token would cross the network unencrypted.
    case insecure(host: String)

    public var errorDescription: String? {
        switch self {
        case .unreachable(let why):
            "The tail cannot be reached (\(why)); check the address and that it is running."
        case .timedOut(let seconds):
            "The tail did not answer within \(seconds.formatted()) s; check the network or try again."
        case .busy(let attempts):
            "The tail is busy (503, \(attempts) attempts); try again in a moment."
        case .bundleMismatch(let tail, let head):
            "The tail serves bundle \(tail.prefix(12)), this head is of bundle \(head.prefix(12)); update the app's bundle or serve the archive that it was made with."
        case .tokenRefused:
            "The tail refused the token (401); enter the token that it was started with."
        case .refused(let status, let sentence):
            "The tail refused the request (\(status)): \(sentence)"
        case .badAnswer(let why):
            "The tail answered something else than logits: \(why)"
        case .insecure(let host):
            "Features go to \(host) encrypted or not at all; use an https address, or http for this device itself."
        }
    }
}
