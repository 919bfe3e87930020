# frozen_string_literal: true

# The version is written once, in Cargo.toml. Ruby and Python read generated files, because neither an installed gem nor
# the Python package on another interpreter's path has Cargo.toml or metadata beside it.
module Version
  ROOT = File.expand_path("..", __dir__)

  def self.current
    File.read(File.join(ROOT, "Cargo.toml"))[/^\[workspace\.package\].*?^version = "([^"]+)"/m, 1]
  end

  # What the generated files contain, by path.
  def self.files
    sources = { "ruby/lib/passenger/version.rb" => ruby, "python/passenger/_version.py" => python }
    sources.transform_keys { |path| File.join(ROOT, path) }
  end

  def self.ruby
    <<~RUBY
      # frozen_string_literal: true

      module Passenger
        # Generated from Cargo.toml by `rake version`.
        VERSION = "#{current}"
      end
    RUBY
  end

  def self.python
    <<~PYTHON
      """The version of Passenger."""

      VERSION = "#{current}"
      """Generated from Cargo.toml by `rake version`."""
    PYTHON
  end
end

desc "Write the version in Cargo.toml into the files of Ruby and Python"
task :version do
  Version.files.each do |path, source|
    File.write(path, source) unless File.exist?(path) && File.read(path) == source
  end
end
