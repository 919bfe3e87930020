# frozen_string_literal: true

# The version is written once, in Cargo.toml. Ruby reads a generated file, because an installed gem's gemspec is
# evaluated without Cargo.toml beside it.
module Version
  FILE = File.expand_path("../ruby/lib/passenger/version.rb", __dir__)

  def self.current
    File.read(File.expand_path("../Cargo.toml", __dir__))[/^\[workspace\.package\].*?^version = "([^"]+)"/m, 1]
  end

  def self.source
    <<~RUBY
      # frozen_string_literal: true

      module Passenger
        # Generated from Cargo.toml by `rake version`.
        VERSION = "#{current}"
      end
    RUBY
  end
end

desc "Write ruby/lib/passenger/version.rb from the version in Cargo.toml"
task :version do
  next if File.exist?(Version::FILE) && File.read(Version::FILE) == Version.source

  mkdir_p File.dirname(Version::FILE)
  File.write(Version::FILE, Version.source)
end
