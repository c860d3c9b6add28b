import Foundation

/// What the benchmark screen writes and `pripro measure --device-report` reads.
public struct LatencyReport: Record {
    public static let kind = "latency"
    public var bundleID: String
    public var createdUTC: String
    public var device: Device
    public var start: Condition
    public var end: Condition
    public var rows: [Row]
    public var operators: [Operator]

    public init(
        bundleID: String, createdUTC: String = .nowUTC, device: Device, start: Condition, end: Condition, rows: [Row],
        operators: [Operator] = []
    ) {
        self.bundleID = bundleID
        self.createdUTC = createdUTC
        self.device = device
        self.start = start
        self.end = end
        self.rows = rows
        self.operators = operators
    }

    public init(_ fields: Fields) throws {
        try fields.reportHeader(kind: Self.kind)
        bundleID = try fields.value("bundle_id", Read.sha256)
        createdUTC = try fields.value("created_utc", Read.string)
        device = try fields.value("device", Read.record)
        start = try fields.value("start", Read.record)
        end = try fields.value("end", Read.record)
        rows = try fields.list("rows", Read.record)
        operators = try fields.list("operators", mayBeAbsent: true, Read.record)
    }

    public var json: JSON {
        [
            "schema_version": Report.version.json, "kind": Self.kind.json, "bundle_id": bundleID.json,
            "created_utc": createdUTC.json, "device": device.json, "start": start.json, "end": end.json,
            "rows": rows.json, "operators": operators.json,
        ]
    }

    /// One thing timed.
    public struct Row: Record {
        public enum Part: String, CaseIterable, JSONConvertible, Sendable {
            case head, unprotectedHead = "unprotected-head", network, tail, total
        }

        public var part: Part
        public var target: String
        public var precision: String
        public var backend: String
        public var runtime: String
        public var threads: Int
        public var loadMs: Double?
        public var firstRunMs: Double?
        public var warmups: Int
        public var n: Int
        public var meanMs: Double
        public var stdMs: Double
        public var minMs: Double
        public var p50Ms: Double
        public var p90Ms: Double
        public var p99Ms: Double
        public var ratioToFirst: Double?
        public var peakMemoryBytes: Int?
        /// Why the figures should be doubted, or "".
        public var flag: String

        init(_ subject: Benchmark.Subject, firstRunMs: Double, warmups: Int, _ summary: Summary) {
            part = subject.part
            target = subject.target
            precision = subject.precision
            backend = subject.backend
            runtime = subject.runtime
            threads = subject.threads
            loadMs = subject.loadMs
            self.firstRunMs = firstRunMs
            self.warmups = warmups
            n = summary.n
            meanMs = summary.mean
            stdMs = summary.std
            minMs = summary.min
            p50Ms = summary.p50
            p90Ms = summary.p90
            p99Ms = summary.p99
            flag = ""
        }

        public init(_ fields: Fields) throws {
            part = try fields.value("part", Read.choice)
            target = try fields.value("target", Read.string)
            precision = try fields.value("precision", Read.string)
            backend = try fields.value("backend", Read.string)
            runtime = try fields.value("runtime", Read.string)
            threads = try fields.value("threads", Read.integer)
            loadMs = try fields.optional("load_ms", Read.number)
            firstRunMs = try fields.optional("first_run_ms", Read.number)
            warmups = try fields.value("warmups", Read.integer)
            n = try fields.value("n", Read.integer(atLeast: 1))
            meanMs = try fields.value("mean_ms", Read.number)
            stdMs = try fields.value("std_ms", Read.number)
            minMs = try fields.value("min_ms", Read.number)
            p50Ms = try fields.value("p50_ms", Read.number)
            p90Ms = try fields.value("p90_ms", Read.number)
            p99Ms = try fields.value("p99_ms", Read.number)
            ratioToFirst = try fields.optional("ratio_to_first", mayBeAbsent: true, Read.number)
            peakMemoryBytes = try fields.optional("peak_memory_bytes", mayBeAbsent: true, Read.integer)
            flag = try fields.value("flag", otherwise: "", Read.string)
        }

        public var json: JSON {
            [
                "part": part.json, "target": target.json, "precision": precision.json, "backend": backend.json,
                "runtime": runtime.json, "threads": threads.json, "load_ms": loadMs.json,
                "first_run_ms": firstRunMs.json, "warmups": warmups.json, "n": n.json, "mean_ms": meanMs.json,
                "std_ms": stdMs.json, "min_ms": minMs.json, "p50_ms": p50Ms.json, "p90_ms": p90Ms.json,
                "p99_ms": p99Ms.json, "ratio_to_first": ratioToFirst.json, "peak_memory_bytes": peakMemoryBytes.json,
                "flag": flag.json,
            ]
        }
    }

    /// One line of a runtime's own operator profile.
    public struct Operator: Record {
        public var target: String
        public var precision: String
        public var name: String
        public var calls: Int
        public var totalMs: Double
        public var share: Double

        public init(_ fields: Fields) throws {
            target = try fields.value("target", Read.string)
            precision = try fields.value("precision", Read.string)
            name = try fields.value("operator", Read.string)
            calls = try fields.value("calls", Read.integer)
            totalMs = try fields.value("total_ms", Read.number)
            share = try fields.value("share", Read.number)
        }

        public var json: JSON {
            [
                "target": target.json, "precision": precision.json, "operator": name.json, "calls": calls.json,
                "total_ms": totalMs.json, "share": share.json,
            ]
        }
    }
}
