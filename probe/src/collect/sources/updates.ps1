# The updates that Windows lists as installed
Get-HotFix | Format-List HotFixID, Description, @{ n = 'InstalledOn'; e = { '{0:yyyy-MM-dd}' -f $_.InstalledOn } }
