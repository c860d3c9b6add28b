import Foundation

/// One inference request of the Open Inference Protocol v2 with its binary tensor extension: a JSON header, directly
/// followed by the features' bytes. Python, Kotlin and Swift write the same bytes; tests/contract/wire holds them.
public struct InferRequest: Sendable, Equatable {
    static let headerLength = "Inference-Header-Content-Length"
    static let bundleHeader = "Pripro-Bundle-Id"

    public let headers: [String: String]
    public let body: Data

    /// A request with float features.
    ///
    /// - Parameters:
    ///   - smashed: features [n,C,h,w], flat.
    ///   - shape: their shape, where the caller knows it; it must then be the encoding's.
    ///   - encoding: how they cross.
    ///   - bundleID: the head's bundle; nil lets any tail answer.
    /// - Throws: `WireError` for features that do not fit the encoding.
    public init(smashed: [Float], shape: [Int]? = nil, encoding: SmashedEncoding, bundleID: String?) throws {
        let wanted = try encoding.shape(ofCount: smashed.count)
        guard shape ?? wanted == wanted else {
            throw WireError("The features have the shape \(shape ?? []), the tail takes \(encoding.spec.shape).")
        }
        try self.init(payload: encoding.encode(smashed), shape: wanted, encoding: encoding, bundleID: bundleID)
    }

    /// A request with codes [n,C,h,w] that the head itself made; the encoding must be uint8.
    ///
    /// - Throws: `WireError` for codes that do not fit the encoding.
    public init(codes: [UInt8], encoding: SmashedEncoding, bundleID: String?) throws {
        guard encoding.spec.dtype == .uint8 else { throw WireError("Codes cross as uint8, not as \(encoding.spec.dtype.rawValue).") }
        try self.init(
            payload: Data(codes), shape: encoding.shape(ofCount: codes.count), encoding: encoding, bundleID: bundleID)
    }

    /// A request with entropy-coded float features.
    ///
    /// - Throws: `WireError` for features that do not fit the encoding.
    public init(smashed: [Float], encoding: CodedEncoding, bundleID: String?) throws {
        try self.init(codes: encoding.codes(smashed), encoding: encoding, bundleID: bundleID)
    }

    /// A request with codes that the head itself made, entropy-coded.
    ///
    /// - Throws: `WireError` for codes that do not fit the encoding.
    public init(codes: [UInt8], encoding: CodedEncoding, bundleID: String?) throws {
        let payload = try encoding.payload(codes)
        try self.init(
            payload: payload, name: encoding.spec.name, datatype: "BYTES", shape: [encoding.items(ofCount: codes.count)],
            parameters: ["table_id": encoding.coding.tableID.json, "binary_data_size": payload.count.json], bundleID: bundleID)
    }

    private init(payload: Data, shape: [Int], encoding: SmashedEncoding, bundleID: String?) throws {
        try self.init(
            payload: payload, name: encoding.spec.name, datatype: encoding.datatype, shape: shape,
            parameters: ["binary_data_size": payload.count.json], bundleID: bundleID)
    }

    private init(
        payload: Data, name: String, datatype: String, shape: [Int], parameters: JSON, bundleID: String?
    ) throws {
        let input: JSON = ["name": name.json, "datatype": datatype.json, "shape": shape.json, "parameters": parameters]
        var members: [JSON.Member] = []
        if let bundleID { members.append(.init("parameters", ["bundle_id": bundleID.json])) }
        members.append(.init("inputs", .array([input])))
        members.append(.init("outputs", .array([["name": .string("logits"), "parameters": ["binary_data": .bool(true)]]])))
        let text: String
        do {
            text = try JSON.object(members).text(.wire)
        } catch {
            throw WireError("The request's header cannot be written.")
        }
        let header = Data(text.utf8)
        var headers = [
            "Content-Type": "application/octet-stream", Self.headerLength: String(header.count),
        ]
        if let bundleID { headers[Self.bundleHeader] = bundleID }
        self.headers = headers
        body = header + payload
    }
}

/// The tail's answer: logits.
public enum InferResponse {
    /// Reads a binary answer.
    ///
    /// - Parameters:
    ///   - body: of the response.
    ///   - headerLength: what `Inference-Header-Content-Length` said, if it was there.
    /// - Returns: one row of logits per item.
    /// - Throws: `WireError`: not an answer of this protocol, or not finite.
    public static func logits(body: Data, headerLength: String?) throws -> [[Float]] {
        guard let text = headerLength, !text.isEmpty, text.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
            let length = Int(text), length > 0, length <= body.count
        else { throw WireError("The tail's answer has no \(InferRequest.headerLength) that fits its \(body.count) bytes.") }
        guard let raw = try? JSONParser.parse(Data(body.prefix(length))) else {
            throw WireError("The tail's answer has a header that is not JSON.")
        }
        guard case .array(let outputs)? = raw["outputs"], outputs.count == 1, let output = outputs.first,
            output["name"] == .string("logits"), output["datatype"] == .string("FP32")
        else { throw WireError("The tail's answer is not exactly one output, logits in FP32.") }
        guard case .array(let sizes)? = output["shape"], sizes.count == 2, case .integer(let rows) = sizes[0],
            case .integer(let classes) = sizes[1], (1..<1 << 31).contains(rows), (1..<1 << 31).contains(classes)
        else { throw WireError("The tail's answer has no shape [n, K].") }
        let payload = Data(body.dropFirst(length))
        guard output["parameters"]?["binary_data_size"] == .integer(payload.count),
            payload.count.isMultiple(of: 4), payload.count / 4 / classes == rows, payload.count == 4 * rows * classes
        else { throw WireError("The tail's answer has another size than its shape says.") }
        let values = LittleEndian.floats(payload)
        guard values.allSatisfy(\.isFinite) else { throw WireError("The tail's answer holds NaN or infinity.") }
        return (0..<rows).map { Array(values[($0 * classes)..<(($0 + 1) * classes)]) }
    }
}
