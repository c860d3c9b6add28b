import SplitKit
import SplitKitCoreML
import SwiftUI

/// Which head, and where the tail is.
struct SettingsView: View {
    @Environment(Session.self) private var session

    var body: some View {
        @Bindable var session = session
        Form {
            Section("Head") {
                Picker("Head", selection: $session.chosen) {
                    ForEach(Array(session.heads.indices), id: \.self) { index in
                        let head = session.heads[index]
                        Text("\(head.target) \(head.precision), \(head.backend)").tag(index)
                    }
                }
                Picker("Core ML runs on", selection: $session.units) {
                    ForEach(session.offered, id: \.self) { units in Text(units.rawValue).tag(units) }
                }
            }
            Section("Tail") {
                TextField("Address", text: $session.address)
                    .autocorrectionDisabled()
                SecureField("Token (kept in memory only)", text: $session.token)
                Picker("Features cross as", selection: $session.encoding) {
                    Text("the fewest bytes").tag(Manifest.TensorSpec.DType?.none)
                    ForEach(session.encodings, id: \.self) { dtype in Text(dtype.rawValue).tag(Optional(dtype)) }
                }
            }
            Section("Bundle") {
                switch session.bundle {
                case .success(let bundle): Text(bundle.manifest.bundleID).font(.caption.monospaced())
                case .failure(let error): Text(error.localizedDescription).foregroundStyle(.red)
                }
            }
        }
    }
}
