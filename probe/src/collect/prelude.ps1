$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'

# The WSUS server of this machine: by the module, else by the library that older servers have.
function Get-Wsus {
    if (Get-Command Get-WsusServer -ErrorAction SilentlyContinue) { return Get-WsusServer }
    $null = [Reflection.Assembly]::LoadWithPartialName('Microsoft.UpdateServices.Administration')
    if (-not ('Microsoft.UpdateServices.Administration.AdminProxy' -as [type])) {
        throw 'this machine has neither the UpdateServices module nor the WSUS library: it is no WSUS server, or lacks its tools'
    }
    [Microsoft.UpdateServices.Administration.AdminProxy]::GetUpdateServer()
}

# A time in UTC, in a form that no language changes. The API of WSUS gives UTC without saying so.
function Get-Utc($Time) {
    if ($Time -isnot [datetime]) { return '' }
    if ($Time.Kind -eq 'Local') { $Time = $Time.ToUniversalTime() }
    # The calendar and the separators of a language would be taken otherwise.
    $Time.ToString('s', [Globalization.CultureInfo]::InvariantCulture) + 'Z'
}

# A day, in the same form. It has no hour, and so no zone.
function Get-Day($Time) {
    if ($Time -isnot [datetime]) { return '' }
    $Time.ToString('yyyy-MM-dd', [Globalization.CultureInfo]::InvariantCulture)
}
