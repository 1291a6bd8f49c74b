# wsusprobe: collects what a WSUS server says of itself into one JSON file, for: wsusprobe diagnose FILE
#
# It reads and changes nothing. Passwords, keys and cookies are not read, or hidden. Two requests go to the
# source of synchronization (GetAuthConfig, which leaves nothing behind there); -NoNetwork leaves them out.
#
#   powershell.exe -NoProfile -ExecutionPolicy Bypass -File wsusprobe-collect.ps1
#
# Run it on the WSUS server as administrator. It needs PowerShell 3.0 (Windows Server 2012) or newer.
param(
    [string]$Path = "wsusprobe-$env:COMPUTERNAME.json",
    [switch]$NoNetwork
)

$collection = [ordered]@{
    'wsusprobe-collection' = {version}
    server = $env:COMPUTERNAME
    time = (Get-Date).ToUniversalTime().ToString('s', [Globalization.CultureInfo]::InvariantCulture) + 'Z'
    account = [Security.Principal.WindowsIdentity]::GetCurrent().Name
    sources = @()
}

# What would give a secret away, hidden. That there is a password (HasProxyPassword : True) is none.
function Hide-Secret([string]$Text) {
    $flag = '(?!["''\s:=>(]*(?:True|False)(?:[\s,;<)"'']|$))'
    $names = '(?:password|passwort|kennwort|pwd)'
    $Text = $Text -replace ('(?im)((?:ProxyPassword|EncryptionKey)' + $flag + '["'']?\s*[:=>( ]).*$'), '$1(hidden)'
    $Text = $Text -replace ('(?im)(' + $names + $flag + '["'']?\s*[:=]\s*)"[^"]*"'), '$1"(hidden)"'
    $Text = $Text -replace ('(?im)(' + $names + $flag + '["'']?\s*[:=]\s*)[^\s;"]+'), '$1(hidden)'
    $Text = $Text -replace '(?im)((?:authorization|cookie)\s*:\s*).*$', '$1(hidden)'
    $Text -replace '(://)[^/\\\s@]{1,300}@', '$1(hidden)@'
}

# Notes what a source printed, or why it did not.
function Add-Source([string]$Name, [string]$Command, [string]$Text, [string]$Failed) {
    $source = [ordered]@{ name = $Name; command = $Command.Trim() }
    if (-not $Failed -and $Text.Trim() -eq '') { $Failed = 'it printed nothing' }
    if ($Failed) { $source.failed = Hide-Secret $Failed } else { $source.text = Hide-Secret $Text }
    $script:collection.sources += $source
    Write-Host ('{0,-20} {1}' -f $Name, $(if ($Failed) { "failed: $Failed" } else { 'read' }))
}

# Reads a source. It fails by itself.
function Read-Source([string]$Name, [scriptblock]$Read) {
    $text = ''
    $failed = ''
    try { $text = & $Read | Out-String -Width 4096 } catch { $failed = $_.Exception.Message }
    Add-Source $Name $Read.ToString() $text $failed
}

# The same in a PowerShell of its own, because .NET keeps the protocol that it was told once.
function Read-Fresh([string]$Name, [scriptblock]$Read) {
    $functions = "function Get-Wsus { ${function:Get-Wsus} }`n"
    $told = "`$ErrorActionPreference = 'Stop'`n`$ProgressPreference = 'SilentlyContinue'`n" + $functions + $Read.ToString()
    $encoded = [Convert]::ToBase64String([Text.Encoding]::Unicode.GetBytes($told))
    $text = ''
    $failed = ''
    try {
        $text = & powershell.exe -NoProfile -NonInteractive -EncodedCommand $encoded | Out-String -Width 4096
    } catch {
        $failed = $_.Exception.Message
    }
    Add-Source $Name $Read.ToString() $text $failed
}

# What a program of Windows prints. Its errors are left to it: a key that is not there is none.
function Read-Program([string]$Program) {
    $path = Join-Path (Join-Path $env:SystemRoot 'System32') $Program
    $words = foreach ($word in $args) { if ($word -match '\s') { '"' + $word + '"' } else { $word } }
    & cmd.exe /d /c "`"$path`" $($words -join ' ') 2>nul"
}

# The end of a file.
function Read-End([string]$Folder, [string]$File) {
    Get-Content -LiteralPath (Join-Path $Folder $File) -Tail 20000 -Encoding UTF8
}
