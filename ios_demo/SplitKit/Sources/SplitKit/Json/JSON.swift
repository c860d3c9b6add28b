/// A JSON value that keeps what Foundation's coders lose: the order of keys, and whether a number was
/// written as an integer. Both matter here, because a bundle's id is a hash over canonical JSON.
public enum JSON: Sendable, Equatable {
    case null
    case bool(Bool)
    case integer(Int)
    case number(Double)
    case string(String)
    case array([JSON])
    case object([Member])

    /// One key and its value.
    public struct Member: Sendable, Equatable {
        public var key: String
        public var value: JSON

        public init(_ key: String, _ value: JSON) {
            self.key = key
            self.value = value
        }
    }

    /// The value of a key, or nil where this is not an object or has no such key.
    public subscript(key: String) -> JSON? {
        guard case .object(let members) = self else { return nil }
        return members.first { $0.key == key }?.value
    }

    /// What a sentence calls this value.
    var kind: String {
        switch self {
        case .null: "null"
        case .bool: "true or false"
        case .integer: "an integer"
        case .number: "a number"
        case .string: "a string"
        case .array: "a list"
        case .object: "an object"
        }
    }
}

extension JSON: ExpressibleByDictionaryLiteral {
    public init(dictionaryLiteral elements: (String, JSON)...) {
        self = .object(elements.map { Member($0.0, $0.1) })
    }
}

/// Everything that a record's field can hold.
public protocol JSONConvertible: Sendable, Equatable {
    var json: JSON { get }
}

extension JSON: JSONConvertible {
    public var json: JSON { self }
}

extension String: JSONConvertible {
    public var json: JSON { .string(self) }
}

extension Int: JSONConvertible {
    public var json: JSON { .integer(self) }
}

extension Double: JSONConvertible {
    public var json: JSON { .number(self) }
}

extension Bool: JSONConvertible {
    public var json: JSON { .bool(self) }
}

extension Optional: JSONConvertible where Wrapped: JSONConvertible {
    public var json: JSON { self?.json ?? .null }
}

extension Array: JSONConvertible where Element: JSONConvertible {
    public var json: JSON { .array(map(\.json)) }
}

extension JSONConvertible where Self: RawRepresentable, RawValue: JSONConvertible {
    public var json: JSON { rawValue.json }
}

/// A string-keyed map that keeps its order.
public struct OrderedMap<Value: JSONConvertible>: JSONConvertible {
    public struct Entry: Sendable, Equatable {
        public var key: String
        public var value: Value
    }

    public var entries: [Entry]

    public init(_ pairs: KeyValuePairs<String, Value> = [:]) {
        entries = pairs.map { Entry(key: $0.key, value: $0.value) }
    }

    public subscript(key: String) -> Value? {
        entries.first { $0.key == key }?.value
    }

    public var json: JSON { .object(entries.map { JSON.Member($0.key, $0.value.json) }) }
}
