import XCTest

@testable import SplitKit

final class JSONTests: XCTestCase {
    private func parse(_ text: String) throws -> JSON { try JSONParser.parse(Data(text.utf8)) }

    func testKeepsOrderAndTheKindOfNumbers() throws {
        let text = #"{"b":1,"a":[1.0,-2e3,true,null,"xé😀\n"]}"#
        XCTAssertEqual(
            try parse(text),
            ["b": .integer(1), "a": .array([.number(1), .number(-2000), .bool(true), .null, .string("xé😀\n")])])
        XCTAssertEqual(try parse(text).text(.wire), #"{"b":1,"a":[1.0,-2000.0,true,null,"x\u00e9\ud83d\ude00\n"]}"#)
        XCTAssertEqual(try parse(text).text(.identity), #"{"a":[1.0,-2000.0,true,null,"x\u00e9\ud83d\ude00\n"],"b":1}"#)
    }

    func testRefuses() {
        let bad = [
            "", " ", "{", "[1,]", "{\"a\":1,}", "{\"a\":1,\"a\":2}", "01", "1.", ".5", "-", "+1", "1e", "NaN", "Infinity", "tru",
            "\"", "\"\u{1}\"", "\"\\x\"", "\"\\ud800\"", "\"\\ud800\\u0041\"", "\"\\udc00\"", "1 2", "'a'", "1e999", "[1}", "{1:2}",
            "\"\\u12g4\"", String(repeating: "[", count: 65) + String(repeating: "]", count: 65),
        ]
        for text in bad {
            XCTAssertThrowsError(try parse(text), text)
        }
        XCTAssertThrowsError(try JSONParser.parse(Data([0x22, 0xFF, 0x22])), "not UTF-8")
        XCTAssertNoThrow(try parse(String(repeating: "[", count: 64) + String(repeating: "]", count: 64)))
    }

    /// Around the padding's borders; the values are hashlib's for that many letters a.
    func testSHA256() throws {
        let known = [
            (0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
            (1, "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"),
            (55, "9f4390f8d30c2dd92ec9f095b65e2b9ae9b0a925a5258e241c9f1e910f734318"),
            (56, "b35439a4ac6f0948b6d6f9e3c6af0f5f590ce20f1bde7090ef7970686ec6738a"),
            (63, "7d3e74a05d7db15bce4ad9ec0658ea98e3f06eeecf16b4c6fff2da457ddc2f34"),
            (64, "ffe054fe7ae0cb6dc65c3af9b61d5209f439851db43d0ba5997337df154668eb"),
            (65, "635361c48bb9eab14198e76ea8ab7f1a41685d6ad62aa9146d301d4f17eb0ae0"),
            (119, "31eba51c313a5c08226adf18d4a359cfdfd8d2e816b13f4af952f7ea6584dcfb"),
            (120, "2f3d335432c70b580af0e8e1b3674a7c020d683aa5f73aaaedfdc55af904c21c"),
            (128, "6836cf13bac400e9105071cd6af47084dfacad4e5e302c94bfed24e013afb73e"),
            (4097, "4e369b5618643c3abddd027b650bfa54810be3b418028a7c9d82299a59d008e8"),
        ]
        let file = Peer.scratch.appendingPathComponent("hashed.bin")
        for (count, digest) in known {
            let data = Data(repeating: UInt8(ascii: "a"), count: count)
            XCTAssertEqual(SHA256.hexadecimal(of: data), digest, "\(count) bytes")
            try data.write(to: file)
            XCTAssertEqual(try SHA256.hexadecimal(ofFile: file), digest, "\(count) bytes in a file")
        }
        // FIPS 180-4's own example
        XCTAssertEqual(
            SHA256.hexadecimal(of: "abc".utf8), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
    }
}
