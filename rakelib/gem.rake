# frozen_string_literal: true

require "rubygems/package"

# The gem carries the sources of the crates it needs, in a workspace of their own: fewer members, and a lock file to
# match, so that `cargo build --locked` on the user's machine builds exactly what was tested.
module GemStage
  ROOT = File.expand_path("..", __dir__)
  FOLDER = File.join(ROOT, "pkg/stage")
  CRATE = "{Cargo.toml,build.rs,src/**/*,include/**/*}"
  # What is taken from which folder of the repository to which folder of the gem.
  SOURCES = [
    ["native", "native", CRATE],
    ["agent", "agent", CRATE],
    ["ruby/ext/passenger", "ext/passenger", "{extconf.rb,requirements.rb,#{CRATE}}"],
    ["ruby", ".", "{passenger.gemspec,exe/*,lib/**/*.rb}"],
    [".", ".", "{LICENSE,README.md,CHANGELOG.md,Cargo.lock}"]
  ].freeze

  def self.copy
    SOURCES.each do |from, to, pattern|
      Dir.glob(pattern, base: File.join(ROOT, from)).each do |path|
        source = File.join(ROOT, from, path)
        next if File.directory?(source)

        target = File.join(FOLDER, to, path)
        FileUtils.mkdir_p(File.dirname(target))
        FileUtils.cp(source, target)
      end
    end
  end

  # The root manifest with the crates of the gem as the only members.
  def self.manifest
    original = File.read(File.join(ROOT, "Cargo.toml"))
    trimmed = original.sub(/^members = \[.*?\]/m, 'members = ["native", "agent", "ext/passenger"]')
    raise "Cargo.toml: found no list of workspace members to trim" if trimmed == original

    trimmed
  end
end

desc "Build pkg/passenger-VERSION.gem"
task gem: :version do
  rm_rf GemStage::FOLDER
  GemStage.copy
  File.write(File.join(GemStage::FOLDER, "Cargo.toml"), GemStage.manifest)
  # Drops what only the other members needed, and changes nothing else.
  sh "cargo", "update", "--workspace", "--quiet", chdir: GemStage::FOLDER
  chdir(GemStage::FOLDER) do
    spec = Gem::Specification.load("passenger.gemspec")
    Gem::Package.build(spec, false, true, File.join(GemStage::ROOT, "pkg/#{spec.full_name}.gem"))
  end
end
