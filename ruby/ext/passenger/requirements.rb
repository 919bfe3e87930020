# frozen_string_literal: true

# What building needs and a machine may lack, found out before cargo fails somewhere deep with less to say.
module Requirements
  # The workspace: in the gem's own directory when installed, above ruby/ in a checkout.
  WORKSPACE = Dir.glob(%w[../../Cargo.toml ../../../Cargo.toml], base: __dir__).first
  RUST = File.read(File.join(__dir__, WORKSPACE))[/^rust-version = "(.+)"/, 1]
  # Where distributions put libclang; bindgen looks there, too.
  LIBCLANG = "{/usr/lib*,/usr/lib/*,/usr/lib/llvm*/lib*,/usr/lib/llvm/*/lib*,/usr/local/lib*,/usr/local/llvm*/lib}" \
             "/libclang{,-[0-9]*}.so*"

  module_function

  # Ends the process with a message when something is missing.
  def check
    linux? or missing "Linux", "Passenger's agent needs its process descriptors, signals and sendfile."
    rust? or missing "Rust #{RUST} or later", "Install it from https://rustup.rs, and have cargo on the PATH."
    compiler? or missing "a C compiler (cc)", packages("build-essential", "gcc", "build-base")
    ruby_headers? or missing "Ruby's header files (ruby.h)", packages("ruby-dev", "ruby-devel", "ruby-dev")
    libclang_folder or missing "libclang", packages("libclang-dev", "clang-devel", "clang-dev") <<
                                           "\nElsewhere: set LIBCLANG_PATH to the directory that has libclang.so."
  end

  # Options for a libclang that came without the compiler's own headers (stddef.h): borrow those of cc. Nil when it has
  # its own, which must then not be mixed with another compiler's.
  def clang_arguments
    return if Dir.glob(File.join(libclang_folder, "{.,..,../..}/{lib/,}clang/*/include/stddef.h")).any?

    "-isystem #{IO.popen(%w[cc -print-file-name=include], &:read).strip}"
  end

  def linux? = RbConfig::CONFIG["host_os"].start_with?("linux")
  def compiler? = ENV["PATH"].split(":").any? { |folder| File.executable?(File.join(folder, "cc")) }
  def ruby_headers? = File.exist?(File.join(RbConfig::CONFIG["rubyhdrdir"], "ruby.h"))

  def rust?
    version = IO.popen(%w[cargo --version], &:read)[/\d+\.\d+(\.\d+)?/]
    Gem::Version.new(version) >= Gem::Version.new(RUST)
  rescue Errno::ENOENT
    false
  end

  def libclang_folder
    ENV.fetch("LIBCLANG_PATH") { Dir.glob(LIBCLANG).first&.then { |path| File.dirname(path) } }
  end

  def packages(debian, fedora, alpine)
    "Debian, Ubuntu:  apt-get install #{debian}\nFedora, RHEL:    dnf install #{fedora}\n" \
      "Alpine:          apk add #{alpine}"
  end

  def missing(what, remedy)
    abort "\nPassenger cannot be built here: #{what} is missing.\n#{remedy}\n\n"
  end

  private_class_method :linux?, :compiler?, :ruby_headers?, :rust?, :libclang_folder, :packages, :missing
end
