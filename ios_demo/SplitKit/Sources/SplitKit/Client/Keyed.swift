/// One value that takes time to make, kept together with the key that it was made for.
///
/// A screen's choice may change while the value for the old choice is still being made. A caller that asked for the old one gets the old
/// one; it is not kept under the new key. Callers that ask for the same one share a single making of it.
public actor Keyed<Key: Hashable & Sendable, Value: Sendable> {
    private var key: Key?
    private var task: Task<Value, any Error>?

    public init() {}

    /// The value for a key, made where it is not the one that is kept.
    ///
    /// - Throws: what `make` throws; nothing is kept then.
    public func value(for wanted: Key, make: @escaping @Sendable () async throws -> Value) async throws -> Value {
        if key == wanted, let task { return try await task.value }
        let making = Task { try await make() }
        (key, task) = (wanted, making)
        do {
            return try await making.value
        } catch {
            if task == making { (key, task) = (nil, nil) }
            throw error
        }
    }
}
