import AVFoundation
import CoreVideo
import Foundation
import SplitKit

/// The back camera, live: frames are worked on one at a time, and those that come meanwhile are dropped.
final class LiveCamera: NSObject, AVCaptureVideoDataOutputSampleBufferDelegate, @unchecked Sendable {
    let session = AVCaptureSession()
    let rate = FrameRate()
    private let queue = DispatchQueue(label: "camera")
    private let work: @Sendable (StoredPhoto) async -> Void

    init(work: @escaping @Sendable (StoredPhoto) async -> Void) {
        self.work = work
    }

    /// Asks for the camera and starts it.
    ///
    /// - Throws: `BundleError` with a sentence for the screen.
    func start() async throws {
        guard await AVCaptureDevice.requestAccess(for: .video) else {
            throw BundleError("This app may not use the camera; allow it in Settings, or choose a photo.")
        }
        guard let device = AVCaptureDevice.default(.builtInWideAngleCamera, for: .video, position: .back) else {
            throw BundleError("This device has no camera; choose a photo instead.")
        }
        let input = try AVCaptureDeviceInput(device: device)
        let output = AVCaptureVideoDataOutput()
        output.alwaysDiscardsLateVideoFrames = true
        output.videoSettings = [kCVPixelBufferPixelFormatTypeKey as String: kCVPixelFormatType_32BGRA]
        output.setSampleBufferDelegate(self, queue: queue)
        session.beginConfiguration()
        session.sessionPreset = .vga640x480
        guard session.canAddInput(input), session.canAddOutput(output) else {
            session.commitConfiguration()
            throw BundleError("The camera does not start; close other apps that use it, then try again.")
        }
        session.addInput(input)
        session.addOutput(output)
        session.commitConfiguration()
        queue.async { [session] in session.startRunning() }
    }

    func stop() {
        queue.async { [session] in session.stopRunning() }
    }

    func captureOutput(_ output: AVCaptureOutput, didOutput buffer: CMSampleBuffer, from connection: AVCaptureConnection) {
        guard rate.begin() else { return }
        // copied at once: the camera has only a few buffers, and stops when all are in use
        guard let pixels = CMSampleBufferGetImageBuffer(buffer), let photo = Self.photo(pixels) else { return rate.end() }
        Task {
            await work(photo)
            rate.end()
        }
    }

    /// The frame's pixels without the padding of their rows. The sensor lies on its side in a phone held upright.
    private static func photo(_ buffer: CVPixelBuffer) -> StoredPhoto? {
        CVPixelBufferLockBaseAddress(buffer, .readOnly)
        defer { CVPixelBufferUnlockBaseAddress(buffer, .readOnly) }
        guard let base = CVPixelBufferGetBaseAddress(buffer) else { return nil }
        let (width, height, stride) = (CVPixelBufferGetWidth(buffer), CVPixelBufferGetHeight(buffer), CVPixelBufferGetBytesPerRow(buffer))
        var bytes = [UInt8](repeating: 0, count: 4 * width * height)
        bytes.withUnsafeMutableBytes { memory in
            for row in 0..<height {
                memory.baseAddress?.advanced(by: 4 * width * row).copyMemory(from: base + stride * row, byteCount: 4 * width)
            }
        }
        return StoredPhoto(bytes, width: width, height: height, pixelBytes: 4, orientation: .rotated90, isBlueFirst: true)
    }
}
