/// A record of the schema: reads itself strictly, writes all of its keys in the schema's order.
public protocol Record: JSONConvertible {
    init(_ fields: Fields) throws
}

/// What does not fit the schema, and where.
public struct SchemaError: Error, Equatable {
    /// Keys and indices joined by points, e.g. `heads.0.files.1.sha256`.
    public let path: String
    public let message: String
}

/// The keys of one object. Each must be read exactly as the schema says, and none may be left over.
public final class Fields {
    private let path: String
    private var unread: [String: JSON]

    private init(_ value: JSON, _ path: String) throws {
        guard case .object(let members) = value else {
            throw SchemaError(path: path, message: "expected an object, found \(value.kind)")
        }
        self.path = path
        unread = Dictionary(members.map { ($0.key, $0.value) }) { first, _ in first }
    }

    /// Reads a whole record and refuses keys that it does not know.
    public static func read<R: Record>(_ value: JSON, at path: String = "") throws -> R {
        let fields = try Fields(value, path)
        let record = try R(fields)
        if let key = fields.unread.keys.min() {
            throw SchemaError(path: fields.place(key), message: "unknown key")
        }
        return record
    }

    private func place(_ key: String) -> String {
        path.isEmpty ? key : "\(path).\(key)"
    }

    /// An error about one key of this object.
    public func error(_ key: String, _ message: String) -> SchemaError {
        SchemaError(path: place(key), message: message)
    }

    private func take(_ key: String) throws -> JSON {
        guard let value = unread.removeValue(forKey: key) else { throw error(key, "is missing") }
        return value
    }

    /// Reads a key; `otherwise` stands for an absent one, where the schema has a default.
    public func value<T>(_ key: String, otherwise: T? = nil, _ read: (JSON, String) throws -> T) throws -> T {
        if let otherwise, unread[key] == nil { return otherwise }
        return try read(try take(key), place(key))
    }

    /// Reads a key whose value may be null, which must be said unless the schema has null as its default.
    public func optional<T>(_ key: String, mayBeAbsent: Bool = false, _ read: (JSON, String) throws -> T) throws -> T? {
        if mayBeAbsent, unread[key] == nil { return nil }
        let found = try take(key)
        return found == .null ? nil : try read(found, place(key))
    }

    /// Reads a list.
    public func list<T>(_ key: String, mayBeAbsent: Bool = false, _ read: @escaping (JSON, String) throws -> T) throws -> [T] {
        try value(key, otherwise: mayBeAbsent ? [] : nil, Read.list(read))
    }
}

extension Fields {
    /// Reads a list that must have so many items.
    public func list<T>(
        _ key: String, count: ClosedRange<Int>, _ read: @escaping (JSON, String) throws -> T
    ) throws -> [T] {
        let found = try list(key, read)
        guard count.contains(found.count) else {
            throw error(key, "must hold \(count.lowerBound) to \(count.upperBound) items, holds \(found.count)")
        }
        return found
    }
}

/// How one JSON value becomes one Swift value; each takes the value and its place in the document.
public enum Read {
    private static func fail(_ expected: String, _ found: JSON, _ path: String) -> SchemaError {
        SchemaError(path: path, message: "expected \(expected), found \(found.kind)")
    }

    public static func string(_ value: JSON, _ path: String) throws -> String {
        guard case .string(let text) = value else { throw fail("a string", value, path) }
        return text
    }

    public static func bool(_ value: JSON, _ path: String) throws -> Bool {
        guard case .bool(let flag) = value else { throw fail("true or false", value, path) }
        return flag
    }

    public static func integer(_ value: JSON, _ path: String) throws -> Int {
        if case .integer(let number) = value { return number }
        if case .number(let number) = value, let exact = Int(exactly: number) { return exact }
        throw fail("an integer", value, path)
    }

    public static func integer(atLeast least: Int) -> (JSON, String) throws -> Int {
        { value, path in
            let number = try integer(value, path)
            guard number >= least else { throw SchemaError(path: path, message: "must be at least \(least), is \(number)") }
            return number
        }
    }

    public static func integer(in range: ClosedRange<Int>) -> (JSON, String) throws -> Int {
        { value, path in
            let number = try integer(value, path)
            guard range.contains(number) else {
                throw SchemaError(path: path, message: "must be \(range.lowerBound) to \(range.upperBound), is \(number)")
            }
            return number
        }
    }

    public static func number(_ value: JSON, _ path: String) throws -> Double {
        switch value {
        case .integer(let number): return Double(number)
        case .number(let number): return number
        default: throw fail("a number", value, path)
        }
    }

    public static func list<T>(_ read: @escaping (JSON, String) throws -> T) -> (JSON, String) throws -> [T] {
        { value, path in
            guard case .array(let items) = value else { throw fail("a list", value, path) }
            return try items.enumerated().map { try read($0.element, "\(path).\($0.offset)") }
        }
    }

    public static func map<V>(_ read: @escaping (JSON, String) throws -> V) -> (JSON, String) throws -> OrderedMap<V> {
        { value, path in
            guard case .object(let members) = value else { throw fail("an object", value, path) }
            var map = OrderedMap<V>()
            map.entries = try members.map { .init(key: $0.key, value: try read($0.value, "\(path).\($0.key)")) }
            return map
        }
    }

    public static func choice<E: CaseIterable & RawRepresentable>(_ value: JSON, _ path: String) throws -> E
    where E.RawValue == String {
        let text = try string(value, path)
        guard let found = E(rawValue: text) else {
            let known = E.allCases.map(\.rawValue).joined(separator: ", ")
            throw SchemaError(path: path, message: "must be one of \(known), is \"\(text)\"")
        }
        return found
    }

    public static func record<R: Record>(_ value: JSON, _ path: String) throws -> R {
        try Fields.read(value, at: path)
    }

    /// A string for which `fits` holds.
    public static func string(like what: String, _ fits: @escaping (String) -> Bool) -> (JSON, String) throws -> String {
        { value, path in
            let text = try string(value, path)
            guard fits(text) else { throw SchemaError(path: path, message: "is not \(what): \"\(text)\"") }
            return text
        }
    }

    /// A SHA-256 in lower-case hex.
    public static func sha256(_ value: JSON, _ path: String) throws -> String {
        try string(like: "a SHA-256 in lower-case hex", isSHA256)(value, path)
    }

    static func isSHA256(_ text: String) -> Bool {
        text.utf8.count == 64 && text.utf8.allSatisfy { (0x30...0x39).contains($0) || (0x61...0x66).contains($0) }
    }
}
