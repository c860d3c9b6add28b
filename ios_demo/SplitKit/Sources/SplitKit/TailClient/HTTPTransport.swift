import Foundation

#if canImport(FoundationNetworking)
    import FoundationNetworking
#endif

/// One URLSession, each exchange wrapped in a continuation.
///
/// Written against the delegate interface, which behaves the same on Apple's Foundation and on Linux's: answers are
/// cut off at a limit instead of filling the memory, and redirects are not followed, so that features and token reach
/// only the address that was configured.
final class HTTPTransport: NSObject, URLSessionDataDelegate, @unchecked Sendable {
    struct Answer: Sendable {
        let status: Int
        let body: Data
        fileprivate let response: HTTPURLResponse

        func header(_ name: String) -> String? { response.value(forHTTPHeaderField: name) }
    }

    enum Failure: Error {
        case timedOut
        case tooLarge
        case broken(String)
    }

    private struct Exchange {
        let continuation: CheckedContinuation<Answer, any Error>
        let maximumBytes: Int
        var body = Data()
        var failure: Failure?
        var isCancelled = false
    }

    private let authority: OwnAuthority?
    private let lock = NSLock()
    private var hasDistrusted = false
    private var exchanges: [Int: Exchange] = [:]

    /// - Throws: `TailError` where this system offers no way to choose whom to trust.
    init(authority: OwnAuthority? = nil) throws {
        #if !canImport(Security)
            if authority != nil {
                throw TailError.unreachable("a certificate authority of your own can be trusted on Apple's systems only")
            }
        #endif
        self.authority = authority
    }

    /// A session that this object serves; it keeps the object alive until it is invalidated.
    func makeSession() -> URLSession {
        let configuration = URLSessionConfiguration.ephemeral
        configuration.urlCache = nil
        configuration.httpShouldSetCookies = false
        configuration.httpMaximumConnectionsPerHost = 4
        return URLSession(configuration: configuration, delegate: self, delegateQueue: nil)
    }

    /// Sends a request and waits for its whole answer.
    ///
    /// - Throws: `Failure`, or `CancellationError` where the surrounding task was cancelled.
    func send(_ request: URLRequest, over session: URLSession, within seconds: Double, maximumBytes: Int) async throws -> Answer {
        let task = session.dataTask(with: request)
        let deadline = DispatchWorkItem { [weak self] in self?.stop(task, .timedOut) }
        DispatchQueue.global().asyncAfter(deadline: .now() + seconds, execute: deadline)
        defer { deadline.cancel() }
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                lock.withLock {
                    exchanges[task.taskIdentifier] = Exchange(continuation: continuation, maximumBytes: maximumBytes)
                }
                task.resume()
            }
        } onCancel: {
            lock.withLock { exchanges[task.taskIdentifier]?.isCancelled = true }
            task.cancel()
        }
    }

    private func stop(_ task: URLSessionTask, _ failure: Failure) {
        lock.withLock { exchanges[task.taskIdentifier]?.failure = failure }
        task.cancel()
    }

    func urlSession(_ session: URLSession, dataTask: URLSessionDataTask, didReceive data: Data) {
        let isTooLarge = lock.withLock {
            exchanges[dataTask.taskIdentifier]?.body.append(data)
            return exchanges[dataTask.taskIdentifier].map { $0.body.count > $0.maximumBytes } ?? false
        }
        if isTooLarge { stop(dataTask, .tooLarge) }
    }

    func urlSession(
        _ session: URLSession, task: URLSessionTask, willPerformHTTPRedirection response: HTTPURLResponse,
        newRequest request: URLRequest, completionHandler: @escaping @Sendable (URLRequest?) -> Void
    ) {
        completionHandler(nil)
    }

    #if canImport(Security)
        func urlSession(
            _ session: URLSession, didReceive challenge: URLAuthenticationChallenge,
            completionHandler: @escaping @Sendable (URLSession.AuthChallengeDisposition, URLCredential?) -> Void
        ) {
            // only a challenge about the server's certificate carries a chain
            guard let authority, let trust = challenge.protectionSpace.serverTrust else {
                return completionHandler(.performDefaultHandling, nil)
            }
            if authority.trusts(trust) {
                completionHandler(.useCredential, URLCredential(trust: trust))
            } else {
                lock.withLock { hasDistrusted = true }
                completionHandler(.cancelAuthenticationChallenge, nil)
            }
        }
    #endif

    func urlSession(_ session: URLSession, task: URLSessionTask, didCompleteWithError error: (any Error)?) {
        guard let exchange = lock.withLock({ exchanges.removeValue(forKey: task.taskIdentifier) }) else { return }
        if let failure = exchange.failure {
            exchange.continuation.resume(throwing: failure)
        } else if let error = error as? URLError, error.code == .cancelled, !exchange.isCancelled,
            lock.withLock({ hasDistrusted })
        {
            // how the system names a chain that was refused above
            exchange.continuation.resume(throwing: Failure.broken("its certificate is not of the authority in tail_ca.pem"))
        } else if let error = error as? URLError, error.code == .cancelled {
            exchange.continuation.resume(throwing: CancellationError())
        } else if let error = error as? URLError, error.code == .timedOut {
            exchange.continuation.resume(throwing: Failure.timedOut)
        } else if let error {
            exchange.continuation.resume(throwing: Failure.broken(error.localizedDescription))
        } else if let response = task.response as? HTTPURLResponse {
            exchange.continuation.resume(
                returning: Answer(status: response.statusCode, body: exchange.body, response: response))
        } else {
            exchange.continuation.resume(throwing: Failure.broken("the connection closed without an answer"))
        }
    }
}
