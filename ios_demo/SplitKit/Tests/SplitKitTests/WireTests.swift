import XCTest

@testable import SplitKit

/// Every case of tests/contract/wire/cases.json: the same bytes as Python and Kotlin, both directions.
final class WireTests: XCTestCase {
    private static let folder = Contract.folder.appendingPathComponent("wire")

    private func cases(_ list: String) throws -> [[String: Any]] {
        let data = try Data(contentsOf: Self.folder.appendingPathComponent("cases.json"))
        let all = try JSONSerialization.jsonObject(with: data) as! [String: Any]
        let lists: Set = ["schema_version", "requests", "refused_requests", "responses", "refused_responses"]
        XCTAssert(Set(all.keys).isSubset(of: lists), "a list of cases that no test here reads")
        let found = all[list] as! [[String: Any]]
        XCTAssertFalse(found.isEmpty)
        return found
    }

    private func bytes(_ name: Any?) throws -> Data {
        try Data(contentsOf: Self.folder.appendingPathComponent(name as! String))
    }

    private func request(_ raw: [String: Any]) throws -> InferRequest {
        let spec: Manifest.TensorSpec = try Fields.read(
            JSONParser.parse(JSONSerialization.data(withJSONObject: raw["spec"]!)))
        let encoding = try SmashedEncoding(spec)
        let data = try bytes(raw["values"])
        let bundleID = raw["bundle_id"] as? String
        if (raw["values"] as! String).hasSuffix(".u8") {
            return try InferRequest(codes: [UInt8](data), encoding: encoding, bundleID: bundleID)
        }
        return try InferRequest(
            smashed: LittleEndian.floats(data), shape: raw["shape"] as? [Int], encoding: encoding, bundleID: bundleID)
    }

    func testRequests() throws {
        for raw in try cases("requests") {
            let made = try request(raw)
            XCTAssertEqual(made.headers, raw["headers"] as! [String: String], raw["name"] as! String)
            XCTAssertEqual(made.body, try bytes(raw["body"]), raw["name"] as! String)
        }
    }

    private func codedCases(_ list: String) throws -> [[String: Any]] {
        let data = try Data(contentsOf: Self.folder.appendingPathComponent("coded.json"))
        let all = try JSONSerialization.jsonObject(with: data) as! [String: Any]
        XCTAssert(Set(all.keys).isSubset(of: ["schema_version", "requests", "refused_requests"]), "a list that no test here reads")
        return all[list] as! [[String: Any]]
    }

    private func codedRequest(_ raw: [String: Any]) throws -> InferRequest {
        let spec = Manifest.TensorSpec(
            name: "smashed", dtype: .float32, shape: raw["coded_shape"] as! [Int],
            layout: Manifest.TensorSpec.Layout(rawValue: raw["layout"] as! String)!)
        let coding: Manifest.Coding = try Contract.record(raw["coding"]!)
        let (encoding, data, id) = (try CodedEncoding(spec, coding: coding), try bytes(raw["values"]), raw["bundle_id"] as? String)
        if (raw["values"] as! String).hasSuffix(".u8") {
            return try InferRequest(codes: [UInt8](data), encoding: encoding, bundleID: id)
        }
        return try InferRequest(smashed: LittleEndian.floats(data), encoding: encoding, bundleID: id)
    }

    func testEntropyCodedRequests() throws {
        for raw in try codedCases("requests") {
            let made = try codedRequest(raw)
            XCTAssertEqual(made.headers, raw["headers"] as! [String: String], raw["name"] as! String)
            XCTAssertEqual(made.body, try bytes(raw["body"]), raw["name"] as! String)
        }
        for raw in try codedCases("refused_requests") {
            XCTAssertThrowsError(try codedRequest(raw), raw["name"] as! String) { XCTAssert($0 is WireError, "\($0)") }
        }
    }

    func testRefusedRequests() throws {
        for raw in try cases("refused_requests") {
            assertRefused(raw["name"] as! String, mentions: []) { try request(raw) }
        }
    }

    private func logits(_ raw: [String: Any]) throws -> [[Float]] {
        let headers = raw["headers"] as! [String: String]
        let length = headers.first { $0.key.lowercased() == "inference-header-content-length" }?.value
        return try InferResponse.logits(body: bytes(raw["body"]), headerLength: length)
    }

    func testResponses() throws {
        for raw in try cases("responses") {
            let name = raw["name"] as! String
            let found = try logits(raw)
            XCTAssertEqual([found.count, found[0].count], raw["shape"] as! [Int], name)
            XCTAssertEqual(LittleEndian.data(found.flatMap { $0 }), try bytes(raw["logits"]), name)
        }
    }

    func testRefusedResponses() throws {
        for raw in try cases("refused_responses") {
            XCTAssertThrowsError(try logits(raw), raw["name"] as! String) { XCTAssert($0 is WireError, "\($0)") }
        }
    }

    func testHalvesComeBack() {
        for bits in UInt16.min...UInt16.max {
            let value = HalfFloat.float(bits)
            if value.isNaN {
                XCTAssertEqual(HalfFloat.bits(value) & 0x7FFF, 0x7E00)
            } else if HalfFloat.bits(value) != bits {
                XCTFail("\(bits) came back as \(HalfFloat.bits(value))")
            }
        }
        XCTAssertEqual(HalfFloat.bits(65504), 0x7BFF)
        XCTAssertEqual(HalfFloat.bits(65519.996), 0x7BFF)
        XCTAssertEqual(HalfFloat.bits(65520), 0x7C00)
        XCTAssertEqual(HalfFloat.bits(0x1p-25), 0)
        XCTAssertEqual(HalfFloat.bits(Float(0x1p-25).nextUp), 1)
    }

    func testCodesAreDecodedAsTheTailDoes() throws {
        let spec = Manifest.TensorSpec(
            name: "smashed", dtype: .uint8, shape: [-1, 2, 1, 2], scale: [0.5, 0.25], zeroPoint: [128, 0])
        let encoding = try SmashedEncoding(spec)
        let features: [Float] = [1, -64, 63.5, 0.25, 100, -3, 2.5, 63.75]
        let codes = try encoding.encode(features)
        XCTAssertEqual([UInt8](codes), [130, 0, 254, 1, 255, 122, 10, 255])
        XCTAssertEqual(try encoding.decode(codes), [1, -64, 63.5, 0.25, 63.5, -3, 2.5, 63.75])
    }

    func testTheCodesOfAHeadCrossAsTheyAre() throws {
        let all = (0...255).flatMap { [UInt8($0), UInt8($0), UInt8(255 - $0)] }
        let output = Manifest.TensorSpec(
            name: "smashed", dtype: .uint8, shape: [-1, 3, 256, 1], scale: [0.04567, 0.0123, 3.3], zeroPoint: [128, 0, 255])
        let features = try SmashedEncoding.features(codes: all, output: output)
        XCTAssertEqual([UInt8](try SmashedEncoding(output).encode(features)), all)
        // Core ML has no bytes: its codes come as whole floats
        XCTAssertEqual(try SmashedEncoding.features(codes: all.map { Float($0) }, output: output), features)
        for wrong: Float in [-1, 256, 0.5, .nan] {
            XCTAssertThrowsError(try SmashedEncoding.features(codes: [Float](repeating: wrong, count: 768), output: output))
        }
        let plain = Manifest.TensorSpec(name: "smashed", dtype: .float32, shape: [-1, 3, 256, 1])
        XCTAssertThrowsError(try SmashedEncoding.features(codes: all, output: plain))
    }
}
