import Foundation
import XCTest

@testable import SplitKit

#if canImport(FoundationNetworking)
    import FoundationNetworking
#endif

/// The Python side: PRIPRO_PYTHON names an interpreter with the toolkit installed.
enum Peer {
    private static let script = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().appendingPathComponent("../../../../../tests/ios_peer.py").standardizedFileURL.path

    static func python() throws -> String {
        let environment = ProcessInfo.processInfo.environment
        if let python = environment["PRIPRO_PYTHON"] { return python }
        let sentence = "PRIPRO_PYTHON is not set; it names a Python interpreter with pripro-toolkit[tail] installed"
        if environment["CI"] != nil { XCTFail(sentence) }
        throw XCTSkip(sentence)
    }

    /// A folder that lives as long as the test process.
    static let scratch: URL = {
        let url = FileManager.default.temporaryDirectory.appendingPathComponent("splitkit-\(UUID().uuidString)")
        try! FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
        atexit { try? FileManager.default.removeItem(at: Peer.scratch) }
        return url
    }()

    static func run(_ arguments: String...) throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: try python())
        process.arguments = [script] + arguments
        try process.run()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else { throw PeerError(arguments.joined(separator: " ")) }
    }

    struct PeerError: Error {
        let what: String
        init(_ what: String) { self.what = what }
    }

    private static func once(_ name: String, _ verb: String) -> Result<URL, any Error> {
        Result {
            let url = scratch.appendingPathComponent(name)
            try run(verb, url.path)
            return url
        }
    }

    private static let madeBundle = once("bundle", "bundle")

    /// The small real bundle, made once.
    static func bundle() throws -> URL {
        _ = try python()
        return try madeBundle.get()
    }

    private static let madeWaist = once("waist", "waist")

    /// A bundle with a waist, memoised noise, coded messages and two outputs, made once.
    static func waistBundle() throws -> URL {
        _ = try python()
        return try madeWaist.get()
    }

    /// A head that runs in onnxruntime, in another process, for as long as this object lives.
    final class Head: HeadRunner {
        let runtime = "onnxruntime"
        private let process = Process()
        private let (input, output) = (Pipe(), Pipe())
        private let spec: Manifest.TensorSpec

        init(_ head: Manifest.Head, file: URL) throws {
            spec = head.outputs[0]
            process.executableURL = URL(fileURLWithPath: try Peer.python())
            process.arguments = [Peer.script, "head", file.path]
            (process.standardInput, process.standardOutput) = (input, output)
            try process.run()
        }

        func smashed(image: [Float], eps: [Float]) throws -> [Float] {
            try input.fileHandleForWriting.write(contentsOf: LittleEndian.data(image) + LittleEndian.data(eps))
            let wanted = try spec.itemCount() * spec.dtype.size
            var bytes = Data()
            while bytes.count < wanted {
                guard let piece = try output.fileHandleForReading.read(upToCount: wanted - bytes.count), !piece.isEmpty else {
                    throw PeerError("the head's process ended")
                }
                bytes.append(piece)
            }
            return try spec.dtype == .uint8 ? SmashedEncoding.features(codes: [UInt8](bytes), output: spec) : LittleEndian.floats(bytes)
        }

        deinit {
            try? input.fileHandleForWriting.close()
            kill(process.processIdentifier, SIGKILL)
        }
    }

    /// A process that ends with the test that started it.
    final class Running {
        let process = Process()
        let url: URL
        private let pipe = Pipe()

        /// The real tail, as `pripro serve` runs it.
        init(serving archive: URL, _ options: String...) throws {
            let ready = Peer.scratch.appendingPathComponent("\(UUID().uuidString).json")
            process.executableURL = URL(fileURLWithPath: try Peer.python())
            process.arguments =
                ["-m", "cloud_tail", "serve", archive.path, "--port", "0", "--ready-file", ready.path, "--workers", "1"] + options
            process.standardError = FileHandle.nullDevice
            process.standardOutput = FileHandle.nullDevice
            try process.run()
            let end = Date.now + 30
            while !FileManager.default.fileExists(atPath: ready.path) {
                guard process.isRunning, .now < end else { throw PeerError("the tail did not start") }
                Thread.sleep(forTimeInterval: 0.02)
            }
            let said = try JSONSerialization.jsonObject(with: Data(contentsOf: ready)) as! [String: Any]
            url = URL(string: said["url"] as! String)!
        }

        /// A network that misbehaves between the client and `server`.
        init(proxy mode: String, to server: URL) throws {
            process.executableURL = URL(fileURLWithPath: try Peer.python())
            process.arguments = [Peer.script, "proxy", String(server.port!), mode]
            process.standardOutput = pipe
            try process.run()
            let line = String(decoding: pipe.fileHandleForReading.availableData, as: UTF8.self)
            url = URL(string: "http://127.0.0.1:\(line.trimmingCharacters(in: .whitespacesAndNewlines))")!
        }

        /// What the process has printed since it said its port; waits for the first of it.
        func moreOutput() -> String { String(decoding: pipe.fileHandleForReading.availableData, as: UTF8.self) }

        /// Kills at once: a child of one of Dispatch's threads has SIGTERM blocked.
        func kill() {
            guard process.isRunning else { return }
            Foundation.kill(process.processIdentifier, SIGKILL)
            // waitUntilExit needs a run loop, which threads of the concurrency pool do not have
            for _ in 0..<500 where process.isRunning { Thread.sleep(forTimeInterval: 0.01) }
        }

        deinit { kill() }
    }
}
